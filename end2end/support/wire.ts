import type { BrowserContext, Page } from '@playwright/test';

/** Lengths of the chunks of all packs, as their manifests say. */
interface Wire {
  lengths: number[];
}

/** Reads the manifest of each pack that pages of this context send. */
export async function watchWire(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const wire: Wire = { lengths: [] };
    Object.assign(globalThis, { wire });
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body?: XMLHttpRequestBodyInit | Document | null) {
      if (body instanceof Blob) {
        // A pack: four bytes, the manifest, the chunks.
        void (async () => {
          const length = new DataView(await body.slice(0, 4).arrayBuffer()).getUint32(0);
          const { chunks } = JSON.parse(await body.slice(4, 4 + length).text()) as { chunks: { length: number }[] };
          wire.lengths.push(...chunks.map((each) => each.length));
        })();
      }
      send.call(this, body);
    };
  });
}

/** What was read so far. */
export async function lengthsOnTheWire(page: Page): Promise<number[]> {
  return page.evaluate(() => (globalThis as unknown as { wire: Wire }).wire.lengths);
}
