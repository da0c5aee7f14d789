import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { gallery, Server, until } from '../support/server.js';
import { Uploader } from '../support/uploader.js';
import { seenOnTheWire, watchWire } from '../support/wire.js';

// Somebody else's app: another prefix, another output name, hashed files, a look of its own.
test('two uploaders of another app, one of them in its form, send and keep what it has', async ({ scratch, visit, browser }) => {
  const server = await Server.start(scratch.path('gallery'), {}, gallery);
  const context = await browser.newContext();
  await watchWire(context);
  const { page } = await visit(server.url, { context });
  const album = await new Uploader(page, '#album').ready();
  const papers = await new Uploader(page, '#claim').ready();

  const picture = writeRandomFile(scratch.path('beach.png'), 700 * KiB, 'beach');
  const paper = writeRandomFile(scratch.path('receipt.pdf'), 30 * KiB, 'receipt');
  await page.locator('input[name=subject]').fill('a broken camera');
  await album.pick(picture);
  await expect(album.row('beach.png')).toHaveAttribute('data-state', 'done');
  await papers.pick(paper);
  await expect(papers.row('receipt.pdf')).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, [picture, paper]);
  // The page's own option travels: chunks of 256 KiB.
  const { lengths, slices, buffers } = await until('all manifests are read', async () => {
    const seen = await seenOnTheWire(page);
    return seen.lengths.length >= 4 && seen;
  });
  // One sends slices of its files, the other buffers, as each was told.
  expect(slices).toBeGreaterThanOrEqual(1);
  expect(buffers).toBe(1);
  expect([...lengths].sort((a, b) => b - a)).toEqual([256 * KiB, 256 * KiB, 188 * KiB, 30 * KiB]);
  // Each has its own list, and the page around them counts both and keeps its form.
  await expect(album.rows).toHaveCount(1);
  await expect(papers.rows).toHaveCount(1);
  await expect(page.locator('#stored')).toHaveText('2 stored in this visit');
  await expect(page.locator('input[name=subject]')).toHaveValue('a broken camera');
  expect(page.url()).toBe(`${server.url}/`);
  await expect(page.locator('form form')).toHaveCount(0);
  expect(await album.root.evaluate((root) => getComputedStyle(root).getPropertyValue('--uploader-accent').trim())).toBe('#a3195b');

  // The host's form is sent as its own, with none of the files.
  await page.getByRole('button', { name: 'File the claim' }).click();
  await page.waitForURL(/subject=a\+broken\+camera/);
  expect(new URL(page.url()).searchParams.getAll('file').join('')).toBe('');

  // What the server has is in the first HTML of the one that was given the list.
  await album.ready();
  await expect(album.rows).toHaveCount(2);
  await expect(album.row('receipt.pdf')).toHaveAttribute('data-state', 'done');
  await expect(papers.rows).toHaveCount(0);
  await context.close();
  await server.kill();
});
