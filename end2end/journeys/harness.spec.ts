import { expect, test } from '@playwright/test';
import { createServer, request, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { statSync } from 'node:fs';
import { b3sum, damageOneByte, hashesOf, MiB, Scratch, writeRandomFile, writeTree } from '../support/files.js';
import { FaultyProxy } from '../support/proxy.js';
import { growth } from '../support/sampler.js';
import { freePort } from '../support/server.js';

// The tools of the other journeys, checked by themselves: a proxy that harms nothing would let
// everything pass.

test('the proxy passes bodies unharmed, and strikes as often as planned with each fault', async () => {
  let received = 0;
  const target = createServer((incoming, answer) => {
    incoming.on('data', (bytes: Buffer) => (received += bytes.length));
    incoming.on('end', () => answer.end('ok'));
    incoming.on('error', () => undefined);
  });
  await new Promise<void>((done) => target.listen(0, '127.0.0.1', done));
  const proxy = await FaultyProxy.start((target.address() as AddressInfo).port, await freePort());
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const body = Buffer.alloc(MiB, 7);
  const send = (path: string): Promise<boolean> =>
    new Promise((done) => {
      const call = request(`${proxy.url}${path}`, { method: 'POST', agent, headers: { 'content-length': body.length } }, (answer) => {
        answer.resume().on('end', () => done(true)).on('error', () => done(false));
      });
      // A client that gives up what stands still.
      call.setTimeout(400, () => call.destroy());
      call.on('error', () => done(false));
      call.end(body);
    });

  expect(await Promise.all([send('/packs'), send('/packs')])).toEqual([true, true]);
  expect(received).toBe(2 * MiB);
  expect(proxy.passedBytes).toBe(2 * MiB);

  proxy.plague(3, 8 * MiB, 'harness');
  // Other requests are never harmed.
  expect(await Promise.all(Array.from({ length: 8 }, () => send('/uploads')))).not.toContain(false);
  expect(proxy.struck).toEqual({ cut: 0, stall: 0, blackHole: 0 });

  const before = received;
  let failed = 0;
  for (let round = 0; round < 60 && proxy.planned > 0; round++) {
    for (const arrived of await Promise.all([send('/packs'), send('/packs'), send('/packs')])) if (!arrived) failed += 1;
  }
  expect(proxy.struck).toEqual({ cut: 3, stall: 3, blackHole: 3 });
  expect(failed, 'cuts and black holes are seen by the client').toBeGreaterThanOrEqual(6);
  expect(received - before).toBeLessThanOrEqual(proxy.passedBytes);
  expect(proxy.lostBytes).toBeGreaterThan(0);
  agent.destroy();
  await proxy.stop();
  target.closeAllConnections();
  target.close();
});

test('files are the same for the same seed, differ in every chunk, and have the size and time asked for', async () => {
  const scratch = new Scratch();
  const one = writeRandomFile(scratch.path('one'), 5 * MiB + 1, 'seed');
  const same = writeRandomFile(scratch.path('same'), 5 * MiB + 1, 'seed');
  const other = writeRandomFile(scratch.path('other'), 5 * MiB + 1, 'another seed');
  const [hash, sameHash, otherHash] = await b3sum([one, same, other]);
  expect(statSync(one).size).toBe(5 * MiB + 1);
  expect(sameHash).toBe(hash);
  expect(otherHash).not.toBe(hash);

  const { mtimeMs } = statSync(one);
  damageOneByte(one, 3 * MiB);
  expect(statSync(one)).toMatchObject({ mtimeMs, size: 5 * MiB + 1 });
  expect((await b3sum([one]))[0]).not.toBe(hash);

  expect(writeTree(scratch.path('tree'), 1000, 'tree')).toBe(1000);
  const hashes = await hashesOf([scratch.path('tree')]);
  expect(hashes.size).toBe(1000);
  const empty = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
  expect([...hashes.values()].filter((value) => value === empty).length).toBeGreaterThan(50);
  scratch.remove();
});

test('growth is the rise of a line, not of its noise', () => {
  const flat = Array.from({ length: 100 }, (_, i) => ({ at: i, value: 50 + (i % 7) }));
  expect(Math.abs(growth(flat, 0, 99))).toBeLessThan(1);
  const rising = Array.from({ length: 100 }, (_, i) => ({ at: i, value: 50 + i / 10 + (i % 7) }));
  expect(growth(rising, 0, 99)).toBeCloseTo(9.9, 0);
});
