import { statSync } from 'node:fs';
import { join } from 'node:path';
import { b3sum, filesBelow, MiB, setTime, writeRandomFile, writeTree } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';

test('the same selection again sends no pack; of one changed file only that file is sent', async ({ scratch, server, visit }) => {
  const tree = scratch.path('tree');
  writeTree(tree, 300, 'again');
  const picked = [writeRandomFile(scratch.path('big.bin'), 40 * MiB, 'big'), tree];

  const first = await visit(server.url);
  await first.uploader.ready();
  await first.uploader.drop(picked);
  await first.uploader.settled(60_000);
  await expectEqualOnDisk(server, picked);
  const published = server.published();
  const received = await server.receivedBytes();

  // Another browser profile: what it knows, it has from the server.
  const second = await visit(server.url);
  await second.uploader.ready();
  await second.uploader.drop(picked);
  await second.uploader.settled(60_000);
  const again = await second.uploader.all();
  expect(second.packs).toBe(0);
  expect(await server.receivedBytes()).toBe(received);
  expect(server.published()).toEqual(published);
  const added = again.filter(({ state }) => state === 'present');
  expect(new Set(added.map(({ file }) => file)).size).toBe(301);
  await expect(second.uploader.root.locator('[data-state=present]').first()).toContainText('Already there');

  // The same size, other bytes, another time.
  const changed = 'photos/2025/file 0182.bin';
  expect([...filesBelow(tree).keys()]).toContain(changed);
  const path = join(tree, changed);
  const { size, mtimeMs } = statSync(path);
  writeRandomFile(path, size, 'changed');
  setTime(path, Math.floor(mtimeMs / 1000) + 60);

  const third = await visit(server.url);
  await third.uploader.ready();
  await third.uploader.drop(picked);
  await third.uploader.settled(60_000);
  const rows = await third.uploader.all();
  expect(rows.filter(({ state }) => state === 'done').map(({ file }) => file)).toContain(`tree/${changed}`);
  expect(third.packs).toBe(1);
  const more = (await server.receivedBytes()) - received;
  expect(more).toBeGreaterThanOrEqual(size);
  expect(more).toBeLessThanOrEqual(size + 4096);

  // Both are there: the old one was not replaced.
  const added2 = server.published().filter((name) => !published.includes(name));
  expect(added2).toEqual([`tree/photos/2025/file 0182 (2).bin`]);
  expect(await b3sum([join(server.files, added2[0]!)])).toEqual(await b3sum([path]));
});
