import { chromium } from '@playwright/test';
import { expectEqualOnDisk, expectNothingSentTwice } from '../support/expectations.js';
import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';
import { seenOnTheWire, slowTime, watchWire } from '../support/wire.js';

// Through sockets go pieces of large files and packs of small ones, where the browser is slower than the line (DESIGN.md).

test('a proxy that knows no WebSockets is asked once, and everything goes in requests', async ({ scratch, server, proxied, visit, browser }) => {
  const proxy = await proxied();
  proxy.refusesSockets = true;
  const context = await browser.newContext();
  await watchWire(context);
  const { page, uploader } = await visit(proxy.url, { linesMayBreak: true, context });
  await uploader.ready();
  const films = [1, 2].map((n) => writeRandomFile(scratch.path(`film ${n}.mkv`), 96 * MiB + n, `no sockets ${n}`));
  await uploader.pick(films);
  await uploader.settled(60_000);
  await expectEqualOnDisk(server, films);
  expect(proxy.sockets).toBe(1);
  const { carried, buffers } = await seenOnTheWire(page);
  expect(carried).toBe(0);
  expect(buffers).toBeGreaterThan(10);
  expectNothingSentTwice(await server.receivedBytes(), 192 * MiB + 3, proxy);
  expect(page.workers(), 'nothing is left of it').toHaveLength(0);
  await context.close();
});

test('many small files go through sockets, each as it is, though they are read into the same memory', async ({ scratch, server, proxied, visit, browser }) => {
  const proxy = await proxied();
  const context = await browser.newContext();
  await watchWire(context);
  const { page, uploader } = await visit(proxy.url, { context });
  await uploader.ready();
  const sizes = Array.from({ length: 1500 }, (_, n) => 12 * KiB + n);
  // So little gains nothing: it asks for no sockets.
  const first = writeRandomFile(scratch.path('first.txt'), 20 * KiB, 'first');
  await uploader.pick(first);
  await uploader.settled(30_000);
  expect(proxy.sockets).toBe(0);
  const notes = sizes.map((size, n) => writeRandomFile(scratch.path(`note ${n}.txt`), size, `small ${n}`));
  await uploader.pick(notes.slice(0, 500));
  await uploader.settled(60_000);
  // However slow this machine is, from here on there are some.
  await until('sockets are open', () => proxy.sockets >= 4);
  const before = await seenOnTheWire(page);
  await uploader.pick(notes.slice(500));
  await uploader.settled(60_000);
  await expectEqualOnDisk(server, [first, ...notes]);
  const wanted = [...sizes, 20 * KiB].sort((a, b) => a - b);
  const sent = async (): Promise<number[]> => (await seenOnTheWire(page)).lengths.sort((a, b) => a - b);
  await expect.poll(sent, 'each file in one pack, and in no other').toEqual(wanted);
  const { carried, buffers } = await seenOnTheWire(page);
  expect(proxy.carried).toBe(carried);
  expect(carried - before.carried, 'most of them').toBeGreaterThan(buffers - before.buffers);
  const size = wanted.reduce((sum, each) => sum + each, 0);
  expectNothingSentTwice(await server.receivedBytes(), size, proxy);
  await context.close();
});

test('what a socket was carrying is stopped by a cancel, and the server keeps nothing of it', async ({ scratch, server, proxied, visit }) => {
  const proxy = await proxied();
  const { uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  const size = 512 * MiB;
  await uploader.pick(writeRandomFile(scratch.path('film.mkv'), size, 'cancelled'));
  await until('sockets carry it', () => proxy.carried > 3);
  // Nothing moves any more: what is under way then can only end by the page's own doing.
  proxy.swallowSockets();
  await uploader.row('film.mkv').getByRole('button', { name: 'Cancel film.mkv' }).click();
  await expect(uploader.row('film.mkv')).toHaveAttribute('data-state', 'cancelled');
  await until('the page has hung up', () => proxy.inFlightBytes === 0);
  await until('the server has forgotten it', async () => {
    const answer = await fetch(`${server.url}/hoist/uploads`);
    return ((await answer.json()) as { uploads: unknown[] }).uploads.length === 0;
  });
  expect(await server.receivedBytes(), 'it was stopped').toBeLessThan(size);
  expect(server.published()).toEqual([]);
});

test('a server that dies takes its sockets along, and requests go on when it is back', async ({ scratch, server, proxied, visit }) => {
  const proxy = await proxied();
  const { page, uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  const film = writeRandomFile(scratch.path('film.mkv'), 512 * MiB, 'dies');
  await uploader.pick(film);
  await until('sockets carry it', () => proxy.carried > 3);
  await server.kill();
  await until('they are given up', () => page.workers().length === 0);
  const before = proxy.sockets;
  await server.restart();
  await uploader.settled(120_000);
  await expectEqualOnDisk(server, [film]);
  expect(before, 'not asked for again and again').toBeLessThan(12);
});

// Whatever this machine does, its line looks twenty times as fast, or as slow.
test.describe('on a line that is faster than the browser', () => {
  test.use({ serverEnv: { HOIST_HOSTS: 'fast.test' } });

  for (const slower of [20, 1 / 20]) {
    test(`a server elsewhere gets requests first, and ${slower > 1 ? 'then sockets' : 'on a slower one nothing else'}`, async ({ scratch, server, visit }, info) => {
      const { launchOptions } = info.project.use;
      const args = [...(launchOptions?.args ?? []), '--host-resolver-rules=MAP fast.test 127.0.0.1'];
      const browser = await chromium.launch({ ...launchOptions, args });
      const context = await browser.newContext();
      await watchWire(context);
      await slowTime(context, slower);
      const { page, uploader } = await visit(server.url.replace('127.0.0.1', 'fast.test'), { context });
      await uploader.ready();
      const films = [1, 2, 3].map((n) => writeRandomFile(scratch.path(`film ${n}.mkv`), (slower > 1 ? 160 : 40) * MiB, `fast ${n}`));
      for (const film of films) {
        await uploader.pick(film);
        await uploader.settled(60_000);
      }
      await expectEqualOnDisk(server, films);
      const { carried, buffers } = await seenOnTheWire(page);
      expect(buffers).toBeGreaterThan(0);
      if (slower > 1) expect(carried).toBeGreaterThan(3);
      else expect(carried).toBe(0);
      await browser.close();
    });
  }
});
