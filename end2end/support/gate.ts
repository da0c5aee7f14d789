import type { BrowserContext, Page } from '@playwright/test';

interface Gate {
  /** Packs that wait, in order. */
  waiting: (() => void)[];
  isOpen: boolean;
  /** How many more may pass although it is closed. */
  passes: number;
}

/**
 * Holds packs back inside the page, after they are built and before the browser reads a byte of
 * their body: whatever happens to the files meanwhile happens to a pack on its way.
 */
export async function gatePacks(context: BrowserContext, passes = 0): Promise<void> {
  await context.addInitScript((first) => {
    // Without workers there are no sockets: all packs come by here.
    Object.assign(globalThis, { Worker: undefined });
    const gate: Gate = { waiting: [], isOpen: false, passes: first };
    Object.assign(globalThis, { gate });
    const { open, send, abort } = XMLHttpRequest.prototype;
    const packs = new WeakSet<XMLHttpRequest>();
    const aborted = new WeakSet<XMLHttpRequest>();
    XMLHttpRequest.prototype.abort = function (this: XMLHttpRequest) {
      aborted.add(this);
      abort.call(this);
    };
    XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, ...given: unknown[]) {
      if (String(given[1]).endsWith('/packs')) packs.add(this);
      (open as (...given: unknown[]) => void).apply(this, given);
    };
    XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body?: XMLHttpRequestBodyInit | Document | null) {
      if (!packs.has(this) || gate.isOpen || gate.passes-- > 0) send.call(this, body);
      else
        gate.waiting.push(() => {
          if (!aborted.has(this)) send.call(this, body);
        });
    };
  }, passes);
}

/** Waits until as many packs are held. */
export async function packsWait(page: Page, least = 1): Promise<void> {
  await page.waitForFunction((count) => (globalThis as unknown as { gate: Gate }).gate.waiting.length >= count, least);
}

/** Holds all packs from now on, however many were to pass. */
export async function closeGate(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.assign((globalThis as unknown as { gate: Gate }).gate, { passes: 0, isOpen: false });
  });
}

/** Lets so many more pass of those to come; what is held stays. */
export async function letPass(page: Page, count: number): Promise<void> {
  await page.evaluate((passes) => {
    Object.assign((globalThis as unknown as { gate: Gate }).gate, { passes });
  }, count);
}

/** Lets all packs go, those that wait and those to come. */
export async function openGate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { gate } = globalThis as unknown as { gate: Gate };
    gate.isOpen = true;
    for (const go of gate.waiting.splice(0)) go();
  });
}
