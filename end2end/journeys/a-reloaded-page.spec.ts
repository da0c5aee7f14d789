import { join } from 'node:path';
import { damageOneByte, MiB, writeRandomFile, writeTree } from '../support/files.js';
import { expectEqualOnDisk, expectNothingSentTwice } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

test('after a reload in the middle the folder is dropped again and only what is missing is sent', async ({ scratch, server, proxied, visit }) => {
  const folder = scratch.path('recordings');
  const size = 512 * MiB;
  writeRandomFile(join(folder, 'day 1/long.wav'), size, 'reload');
  writeTree(join(folder, 'notes'), 50, 'reload');
  const proxy = await proxied(); // only counts
  const { page, uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  await uploader.drop([folder]);
  await until('half has arrived', async () => (await server.receivedBytes()) > size / 2);
  expect(proxy.carried, 'its packs go through sockets').toBeGreaterThan(3);
  await page.reload();

  await uploader.ready();
  expect(server.published()).not.toContain('recordings/day 1/long.wav');
  // The page knows it from the server, before anything is dropped.
  await expect(uploader.row('long.wav')).toHaveAttribute('data-state', 'needs_file');
  await uploader.drop([folder]);
  await uploader.settled(120_000);

  const hashes = await expectEqualOnDisk(server, [folder]);
  expect(hashes.size).toBe(51);
  const states = new Map((await uploader.all()).map(({ file, state }) => [file, state]));
  expect(states.get('recordings/day 1/long.wav')).toBe('done');
  expect([...states.values()].filter((state) => state !== 'done' && state !== 'present')).toEqual([]);
  const small = server.publishedBytes() - size;
  expectNothingSentTwice(await server.receivedBytes(), size + small, proxy);
});

test('a file that changed in its acknowledged half, with the same size and time, is never spliced', async ({ scratch, server, proxied, visit }) => {
  const size = 512 * MiB;
  const path = writeRandomFile(scratch.path('report.pdf'), size, 'changed');
  const proxy = await proxied();
  const { page, uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  await uploader.pick(path);
  await until('half has arrived', async () => (await server.receivedBytes()) > size / 2);
  await page.reload();
  await uploader.ready();
  await expect(uploader.row('report.pdf')).toHaveAttribute('data-state', 'needs_file');

  damageOneByte(path, 5 * MiB + 123);
  await uploader.pick(path);
  await expect(uploader.row('report.pdf')).toHaveAttribute('data-state', 'file_changed', { timeout: 60_000 });
  await expect(uploader.row('report.pdf')).toContainText('File changed');
  await uploader.settled(10_000);
  expect(server.published()).toEqual([]);
});
