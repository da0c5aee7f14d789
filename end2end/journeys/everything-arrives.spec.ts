import { GiB, KiB, MiB, writeRandomFile, writeTree } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { seenOnTheWire, watchWire } from '../support/wire.js';

test('three files, one of 1 GiB, and a folder of 1 000 arrive in one go, with the hashes that b3sum prints', async ({ scratch, server, visit }) => {
  const picked = [
    writeRandomFile(scratch.path('source/film.mkv'), GiB, 'film'),
    writeRandomFile(scratch.path('source/письмо 信.pdf'), 3 * MiB + 17, 'letter'),
    writeRandomFile(scratch.path('source/note.txt'), 100 * KiB, 'note'),
  ];
  const tree = scratch.path('source/tree');
  expect(writeTree(tree, 1000, 'tree')).toBe(1000);
  picked.push(tree);

  const { uploader, ...visited } = await visit(server.url);
  await uploader.ready();
  await uploader.drop(picked);
  await uploader.settled(180_000);

  const hashes = await expectEqualOnDisk(server, picked);
  expect(hashes.size).toBe(1003);

  // The receipts of all rows, read by scrolling through the list as a person would.
  const rows = await uploader.all();
  expect(rows.filter(({ state }) => state !== 'done' && state !== 'present')).toEqual([]);
  expect(Object.fromEntries(rows.map(({ file, hash }) => [file, hash]))).toEqual(Object.fromEntries(hashes));
  expect(visited.problems).toEqual([]);
});

test('a thousand small files travel in a few dozen packs', async ({ scratch, server, visit, browser }) => {
  const tree = scratch.path('tree');
  writeTree(tree, 1000, 'requests');
  const context = await browser.newContext();
  await watchWire(context);
  const visited = await visit(server.url, { context });
  await visited.uploader.ready();
  await visited.uploader.drop([tree]);
  await visited.uploader.settled(60_000);
  await expectEqualOnDisk(server, [tree]);
  const { carried } = await seenOnTheWire(visited.page);
  expect(visited.packs).toBeGreaterThan(0);
  expect(visited.packs + carried, 'in requests and through sockets').toBeLessThanOrEqual(48);
  await context.close();
});
