import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';

interface PageScript {
  isWebKit(agent: string): boolean;
  isLoopback(host: string): boolean;
}

interface Memory {
  take(length: number): ArrayBuffer;
  own(buffer: ArrayBuffer): void;
  giveBack(bytes: Uint8Array): void;
  join(parts: Uint8Array[]): Uint8Array<ArrayBuffer>;
}

/** A script of the page by itself; each call with another `copy` has its own. */
async function load<T>(name: string, copy = ''): Promise<T> {
  const script = readFileSync(new URL(`../../crates/uploader/js/${name}.js`, import.meta.url), 'utf8');
  return (await import(`data:text/javascript,${encodeURIComponent(`${script}//${copy}`)}`)) as T;
}

const { isWebKit, isLoopback } = await load<PageScript>('page');

// What hangs on these is seen only in browsers that do not run here, and with a network that is away.

test('every browser on WebKit is told from those that only say so', () => {
  const agents: [string, boolean][] = [
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', true],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1', true],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', false],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', false],
  ];
  for (const [agent, is] of agents) expect(isWebKit(agent), agent).toBe(is);
});

test('only this machine is loopback', () => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.8.8.8', '[::1]']) expect(isLoopback(host), host).toBe(true);
  for (const host of ['example.com', 'localhost.example', '127.example.com', '10.127.0.1', '[::2]', '']) expect(isLoopback(host), host).toBe(false);
});

const MiB = 1 << 20;

test('memory is filled again once it was given back, and never twice at a time', async () => {
  const { take, own, giveBack } = await load<Memory>('memory', 'again');
  const one = take(MiB);
  own(one);
  giveBack(new Uint8Array(one, 0, 1000));
  giveBack(new Uint8Array(one));
  expect(take(MiB - 5)).toBe(one);
  expect(take(MiB - 5)).not.toBe(one);
  const foreign = new Uint8Array(MiB);
  giveBack(foreign);
  expect(take(MiB)).not.toBe(foreign.buffer);
  // It would be wasted on less than half of it.
  giveBack(new Uint8Array(one));
  expect(take(MiB / 4)).not.toBe(one);
});

test('packs whose manifests grow fit in the memory of those before, and sizes that nobody wants go', async () => {
  const { take, giveBack, join } = await load<Memory>('memory', 'packs');
  const seen = new Set<ArrayBuffer>();
  const chunk = new Uint8Array(MiB).fill(7);
  for (const [length, least] of [
    [1, 1],
    [4, 2],
    [3, 2],
  ]) {
    for (let n = 0; n < 200; n += 1) {
      const pack = join([new Uint8Array(1000 + 16 * n).fill(1), ...Array.from({ length: length! }, () => chunk)]);
      expect(pack.length).toBe(1000 + 16 * n + length! * MiB);
      expect([pack[0], pack[999 + 16 * n], pack[1000 + 16 * n], pack.at(-1)]).toEqual([1, 1, 7, 7]);
      seen.add(pack.buffer);
      giveBack(pack);
    }
    expect(seen.size, `${length} chunks`).toBeLessThanOrEqual(least!);
  }
  // More than may wait: the oldest have gone, the newest are there.
  const many = Array.from({ length: 12 }, () => join([chunk]));
  for (const pack of many) giveBack(pack);
  expect(take(MiB)).toBe(many.at(-1)!.buffer);
});
