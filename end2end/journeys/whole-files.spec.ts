import { rmSync, statSync } from 'node:fs';
import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { seenOnTheWire, slowTime, watchWire } from '../support/wire.js';

// How a file travels is nobody's business but the browser's effort: ten times less for a whole file than for its slices.
test('files that fit a request travel whole, small ones from memory, and pieces of large ones through sockets', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await watchWire(context);
  // A chunk that is hashed waits a quarter of a second for the rest of its file: also a machine that stands still meanwhile sees no slices.
  await slowTime(context, 20);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const whole = [5, 6, 7].map((size) => writeRandomFile(scratch.path(`${size}.bin`), size * MiB + 1, `whole ${size}`));
  await uploader.pick(whole);
  await uploader.settled(30_000);
  expect(await seenOnTheWire(page)).toMatchObject({ slices: 0, buffers: 0 });

  const small = Array.from({ length: 300 }, (_, n) => writeRandomFile(scratch.path(`small ${n}.txt`), 3 * KiB + n, `small ${n}`));
  await uploader.pick(small);
  await uploader.settled(30_000);
  const before = await seenOnTheWire(page);
  expect(before.slices).toBe(0);
  expect(before.buffers).toBeGreaterThan(0);
  expect(before.buffers + before.carried, 'they share packs').toBeLessThan(30);

  // The smaller is just larger than what a server takes in one request.
  const large = [40, 80].map((size) => writeRandomFile(scratch.path(`large ${size}.bin`), size * MiB + 5, `large ${size}`));
  await uploader.pick(large);
  await uploader.settled(60_000);
  const wire = await seenOnTheWire(page);
  expect(wire.slices).toBe(0);
  const carried = wire.carried - before.carried;
  expect(carried).toBeGreaterThan(3);
  expect(wire.buffers - before.buffers + carried).toBeGreaterThan(6);
  expect(wire.lengths.reduce((sum, length) => sum + length), 'nothing is sent twice').toBe(
    [...whole, ...small, ...large].reduce((sum, path) => sum + statSync(path).size, 0),
  );
  await expectEqualOnDisk(server, [...whole, ...small, ...large]);
  await context.close();
});

// A phone has no memory to spare.
test('a phone sends slices of a large file', async ({ scratch, server, visit, browser }) => {
  const desk = await browser.newPage();
  const agent = await desk.evaluate(() => navigator.userAgent);
  await desk.close();
  const context = await browser.newContext({ userAgent: `${agent} Mobile` });
  await watchWire(context);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const large = writeRandomFile(scratch.path('large.bin'), 80 * MiB + 5, 'phone');
  await uploader.pick(large);
  await uploader.settled(60_000);
  const { buffers, slices } = await seenOnTheWire(page);
  expect(buffers).toBe(0);
  expect(slices).toBeGreaterThan(4);
  await expectEqualOnDisk(server, [large]);
  await context.close();
});

test('one file among many that has gone fails alone', async ({ scratch, server, visit }) => {
  const { uploader } = await visit(server.url);
  await uploader.ready();
  // They are read many at a time, and one of them spoils that reading.
  const paths = Array.from({ length: 100 }, (_, n) => writeRandomFile(scratch.path(`f${n}.txt`), 2 * KiB, `gone ${n}`));
  const gone = paths[40]!;
  const { input } = uploader;
  await input.evaluate((element) => element.addEventListener('change', (event) => event.stopImmediatePropagation(), { capture: true, once: true }));
  await input.setInputFiles(paths);
  // The browser looked at size and time when it was chosen.
  await input.evaluate((element: HTMLInputElement) => Array.from(element.files!).map((file) => file.size));
  rmSync(gone);
  await input.evaluate((element) => element.dispatchEvent(new Event('change', { bubbles: true })));
  await expect(uploader.row('f40.txt')).toHaveAttribute('data-state', 'failed', { timeout: 30_000 });
  await expect(uploader.root).toHaveAttribute('data-unsettled', '0', { timeout: 30_000 });
  await expectEqualOnDisk(
    server,
    paths.filter((path) => path !== gone),
  );
});
