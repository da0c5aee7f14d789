import { MiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';

test('two pages that send the same file at once make one upload, equal, and both end', async ({ scratch, server, visit }) => {
  const size = 256 * MiB;
  const path = writeRandomFile(scratch.path('both.bin'), size, 'both');
  const pages = await Promise.all([visit(server.url), visit(server.url)]);
  await Promise.all(pages.map(({ uploader }) => uploader.ready()));
  await Promise.all(pages.map(({ uploader }) => uploader.pick(path)));
  await Promise.all(pages.map(({ uploader }) => uploader.settled(180_000)));

  // Exactly one file: no `both (2).bin`.
  await expectEqualOnDisk(server, [path]);
  for (const { uploader, packs } of pages) {
    await expect(uploader.row('both.bin')).toHaveAttribute('data-state', /^(done|present)$/);
    expect(packs, 'both were sending').toBeGreaterThan(0);
  }
  const ids = await Promise.all(pages.map(({ uploader }) => uploader.row('both.bin').locator('a[href*="/files/"]').getAttribute('href')));
  expect(ids[0]).toBeTruthy();
  expect(ids[1]).toBe(ids[0]);
  // Each may have sent all of it once; sending in circles would be more.
  expect(await server.receivedBytes()).toBeLessThanOrEqual(2 * size + 16 * MiB);
});
