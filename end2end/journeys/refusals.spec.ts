import type { Page } from '@playwright/test';
import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';

/** Bodies of requests to a path that the page sends from now on. */
function sent(page: Page, path: string): string[] {
  const bodies: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === path) bodies.push(request.postData() ?? '');
  });
  return bodies;
}

test.describe('a server that takes less than the page knows', () => {
  test.use({ serverEnv: { HOIST_MAX_FILE_SIZE: '1MiB', HOIST_QUOTA: '1MiB' } });

  test('what it refuses is said in its words, and asked for once', async ({ scratch, server, visit, browser }) => {
    const context = await browser.newContext();
    await context.route('**/hoist/limits', async (route) => {
      const limits = (await (await route.fetch()).json()) as Record<string, unknown>;
      await route.fulfill({ json: { ...limits, fileSize: 16 * MiB } });
    });
    const { page, uploader } = await visit(server.url, { context });
    await uploader.ready();
    const asked = sent(page, '/hoist/uploads');
    const large = writeRandomFile(scratch.path('large.bin'), 3 * MiB, 'large');
    const small = writeRandomFile(scratch.path('small.bin'), 30 * KiB, 'small');
    await uploader.pick(large);
    const row = uploader.row('large.bin');
    await expect(row).toHaveAttribute('data-state', 'failed');
    const again = await page.request.post(`${server.url}/hoist/uploads`, { data: JSON.parse(asked[0]!) as object });
    const { answers } = (await again.json()) as { answers: { answer: string; code: string; message: string }[] };
    expect(answers).toMatchObject([{ answer: 'refused', code: 'too_large' }]);
    await expect(row).toContainText(answers[0]!.message);
    // Another file goes through, which would carry the first along if it were asked for again.
    await uploader.pick(small);
    await expect(uploader.row('small.bin')).toHaveAttribute('data-state', 'done');
    await expect(row).toHaveAttribute('data-state', 'failed');
    expect(asked.filter((body) => body.includes('large.bin'))).toHaveLength(1);
    // A full share passes: the row waits, says why, and lets others by.
    await uploader.pick(writeRandomFile(scratch.path('more.bin'), 1000 * KiB, 'more'));
    await expect(uploader.row('more.bin')).toHaveAttribute('data-state', 'paused');
    await expect(uploader.row('more.bin')).toContainText('No room left');
    await expectEqualOnDisk(server, [small]);
    await context.close();
  });
});

test.describe('a server that says what it takes', () => {
  test.use({ serverEnv: { HOIST_MAX_FILE_SIZE: '1MiB' } });

  test('what is not accepted is counted beside the others, said aloud and cleared with them', async ({ scratch, server, visit }) => {
    const { page, uploader } = await visit(server.url);
    await uploader.ready();
    const asked = sent(page, '/hoist/uploads');
    const large = ['one.bin', 'two.bin'].map((name) => writeRandomFile(scratch.path(name), 2 * MiB, name));
    await uploader.input.setInputFiles(large);
    const [summary, said] = [uploader.root.locator('.hoist-uploader__summary'), uploader.root.getByRole('status')];
    await expect(summary).toHaveText('2 not accepted');
    await expect(said).toHaveText('2 not accepted.');
    await expect(uploader.root.getByRole('progressbar', { name: 'All files' })).toBeHidden();
    await expect(uploader.row('two.bin')).toContainText('1 MB');
    // There is nothing to be stopped, and it stays as large as it is.
    await expect(uploader.row('two.bin').getByRole('button')).toHaveText(['Remove']);
    const small = writeRandomFile(scratch.path('small.bin'), 30 * KiB, 'small');
    await uploader.pick(small);
    await uploader.settled(10_000);
    await expect(summary).toHaveText('1 of 1 file uploaded · 30.7 kB · 2 not accepted');
    expect(asked.filter((body) => body.includes('one.bin'))).toEqual([]);
    await uploader.root.getByRole('button', { name: 'Clear list' }).click();
    await expect(uploader.rows).toHaveCount(0);
    await expect(summary).toHaveCount(0);
    await expectEqualOnDisk(server, [small]);
  });

  test('of many files those that failed are shown alone, until none is left', async ({ scratch, server, visit }) => {
    const { page, uploader } = await visit(server.url);
    await uploader.ready();
    const small = Array.from({ length: 300 }, (_, i) => writeRandomFile(scratch.path(`${i}.bin`), 1000 + i, `small ${i}`));
    const large = ['one.wav', 'two.wav'].map((name) => writeRandomFile(scratch.path(name), 2 * MiB, name));
    const button = (name: string) => uploader.root.getByRole('button', { name, exact: true });
    await uploader.input.setInputFiles([...small.slice(0, 200), ...large, ...small.slice(200)]);
    await uploader.settled(30_000);
    await expect(uploader.row('one.wav')).toHaveCount(0); // far below
    await uploader.scroll(9000);
    await button('Show only problems').click();
    await expect(uploader.rows).toHaveCount(2);
    await expect(button('Clear list')).toHaveCount(0);
    await expect(uploader.row('two.wav')).toHaveAttribute('aria-setsize', '2');
    await expect(button('Show all files')).toBeFocused();
    // Who has no mouse keeps their place, row by row.
    await button('Remove one.wav').press('Enter');
    await expect(uploader.rows).toHaveCount(1);
    await expect(uploader.row('two.wav')).toBeFocused();
    await page.keyboard.press('Tab');
    await expect(button('Remove two.wav')).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(uploader.list).toBeFocused();
    await expect(uploader.row('0.bin')).toHaveAttribute('aria-setsize', '300');
    await expect(uploader.row('0.bin')).toBeInViewport();
    await expect(button('Show all files')).toHaveCount(0);
    await expectEqualOnDisk(server, small);
  });
});

test('a row says under which other name its file is stored', async ({ scratch, server, visit }) => {
  const { uploader } = await visit(server.url);
  await uploader.ready();
  const path = scratch.path('note.txt');
  await uploader.pick(writeRandomFile(path, 3000, 'first'));
  await uploader.settled(10_000);
  await expect(uploader.row('note.txt')).not.toContainText('stored as');
  await uploader.pick(writeRandomFile(path, 4000, 'second'));
  await uploader.settled(10_000);
  await expect(uploader.row('note.txt').filter({ hasText: 'Done · 4 kB · stored as note (2).txt' })).toHaveCount(1);
  expect(server.published()).toEqual(expect.arrayContaining(['note (2).txt', 'note.txt']));
});

for (const status of [403, 404, 415]) {
  test(`a delete that somebody on the way refuses with ${status} is said, and not tried behind the person's back`, async ({ scratch, server, visit, browser }) => {
    const context = await browser.newContext();
    const { page, uploader } = await visit(server.url, { context, statuses: [status] });
    await uploader.ready();
    const file = writeRandomFile(scratch.path('kept.bin'), 30 * KiB, 'kept');
    await uploader.pick(file);
    const row = uploader.row('kept.bin');
    await expect(row).toHaveAttribute('data-state', 'done');
    let told = 0;
    await context.route('**/hoist/uploads/delete', async (route) => {
      told += 1;
      await route.fulfill({ status, contentType: 'text/html', body: '<h1>No</h1>' });
    });
    await row.getByRole('button', { name: 'Delete kept.bin' }).click();
    await expect(uploader.root.getByRole('alert')).toContainText('kept.bin');
    await expect(row).toHaveAttribute('data-state', 'done');
    expect(told).toBe(1);
    // Nor when the page is left, nor on the next one.
    expect(await page.evaluate(() => localStorage.length)).toBe(0);
    await page.reload();
    await uploader.ready();
    await expect(row).toHaveAttribute('data-state', 'done');
    expect(told).toBe(1);
    await expectEqualOnDisk(server, [file]);
    await context.close();
  });
}
