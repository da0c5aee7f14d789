import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';
import { Uploader } from '../support/uploader.js';

test.use({ serverEnv: { HOIST_DELETE_GRACE: '0s' } });

test('without JavaScript the form uploads, and the page lists, downloads and deletes', async ({ scratch, server, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const uploader = new Uploader(page);
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: 'No files are stored yet' })).toBeVisible();
  const files = [
    writeRandomFile(scratch.path('照片 1.jpg'), 700 * KiB, 'chinese'),
    writeRandomFile(scratch.path('notes.txt'), 3 * KiB, 'notes'),
    writeRandomFile(scratch.path('empty.txt'), 0, 'empty'),
  ];
  // The other field, for a folder, stays untouched: it makes no file.
  await uploader.input.setInputFiles(files);
  await uploader.root.getByRole('button', { name: 'Upload', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Stored files' })).toBeVisible();
  await expectEqualOnDisk(server, files);

  const stored = page.locator('.page--plain .stored__row');
  await expect(stored).toHaveCount(3);
  const href = await stored.getByRole('link', { name: '照片 1.jpg' }).getAttribute('href');
  const download = await page.request.get(server.url + href!);
  expect((await download.body()).length).toBe(700 * KiB);
  // Nothing to press that would do nothing.
  await expect(page.locator('button:visible')).toHaveText(['Upload', 'Delete', 'Delete', 'Delete']);
  await stored.getByRole('button', { name: 'Delete notes.txt' }).click();
  await expect(stored).toHaveCount(2);
  await until('it is gone from the disk', () => server.published().length === 2);
  await expectEqualOnDisk(server, [files[0]!, files[2]!]);
  await context.close();
});
