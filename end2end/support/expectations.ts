import { expect } from '@playwright/test';
import { hashesBelow, hashesOf, MiB } from './files.js';
import type { FaultyProxy } from './proxy.js';
import type { Server } from './server.js';

/** What is on the server's disk is exactly what was picked, byte for byte, by `b3sum` alone. */
export async function expectEqualOnDisk(server: Pick<Server, 'files'>, picked: readonly string[]): Promise<Map<string, string>> {
  const wanted = await hashesOf(picked);
  const found = await hashesBelow(server.files);
  const sorted = (hashes: Map<string, string>): [string, string][] => [...hashes].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(sorted(found)).toEqual(sorted(wanted));
  return wanted;
}

/**
 * Nothing was sent again but what broke: the bytes of the files once, and at each break at most the
 * packs that had no answer. `received` is by the server's count; the proxy has seen at least as much.
 */
export function expectNothingSentTwice(received: number, size: number, proxy: FaultyProxy): void {
  // Manifests: less than 256 bytes per chunk, also of small ones.
  const manifests = Math.ceil(size / MiB) * 512 + MiB;
  expect(received, 'the server counts at least the bytes of the files').toBeGreaterThanOrEqual(size);
  expect(received, `at most the files and what broke (${proxy.lostBytes} bytes)`).toBeLessThanOrEqual(size + proxy.lostBytes + manifests);
  // The server does not count chunks that it refuses; they have travelled all the same.
  expect(proxy.passedBytes, `at most that has travelled (${proxy.lostBytes} bytes broke)`).toBeLessThanOrEqual(size + proxy.lostBytes + manifests);
  expect(received, 'the server cannot have received what the proxy has not passed on').toBeLessThanOrEqual(proxy.passedBytes);
}
