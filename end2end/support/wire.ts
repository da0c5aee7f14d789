import type { BrowserContext, Page } from '@playwright/test';

/** Lengths of the chunks of all packs, as their manifests say. */
interface Wire {
  lengths: number[];
  /** How many packs were lists of slices, how many one buffer, how many whole files in a form, and how many went through sockets. */
  slices: number;
  carried: number;
  buffers: number;
  forms: number;
}

/** Reads the manifest of each pack that pages of this context send. */
export async function watchWire(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const wire: Wire = { lengths: [], slices: 0, carried: 0, buffers: 0, forms: 0 };
    Object.assign(globalThis, { wire });
    const note = (manifest: string): void => {
      const { chunks } = JSON.parse(manifest) as { chunks: { length: number }[] };
      wire.lengths.push(...chunks.map((each) => each.length));
    };
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body?: XMLHttpRequestBodyInit | Document | null) {
      const isBuffer = body instanceof Uint8Array;
      if (body instanceof FormData) {
        wire.forms += 1;
        note(String(body.get('manifest')));
      }
      if (body instanceof Blob || isBuffer) {
        wire[isBuffer ? 'buffers' : 'slices'] += 1;
        const pack = isBuffer ? new Blob([body.slice()]) : body;
        // A pack: four bytes, the manifest, the chunks.
        void (async () => {
          const length = new DataView(await pack.slice(0, 4).arrayBuffer()).getUint32(0);
          note(await pack.slice(4, 4 + length).text());
        })();
      }
      send.call(this, body);
    };
    // Typed as one of its two shapes: the other is not ours.
    const proto = Worker.prototype as { postMessage(message: { parts?: Uint8Array[] }, transfer?: Transferable[]): void };
    const { postMessage } = proto;
    proto.postMessage = function (message, transfer) {
      if (message.parts) {
        wire.carried += 1;
        note(new TextDecoder().decode(message.parts[0]!.subarray(4)));
      }
      postMessage.call(this, message, transfer);
    };
  });
}

/**
 * Lets the time of each page of this context, but not its timers, go by slower: whatever this machine does, all that a page measures
 * looks so many times as fast, and what it waits for comes so much later.
 */
export async function slowTime(context: BrowserContext, by: number): Promise<void> {
  await context.addInitScript((by) => {
    const now = performance.now.bind(performance);
    performance.now = () => now() / by;
  }, by);
}

/** What was seen so far. */
export async function seenOnTheWire(page: Page): Promise<Wire> {
  return page.evaluate(() => (globalThis as unknown as { wire: Wire }).wire);
}
