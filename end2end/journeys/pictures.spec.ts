import { join, resolve } from 'node:path';
import { mkdirSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expect, test, type Visit } from '../support/journey.js';
import { until } from '../support/server.js';

// Pictures of the page in the states that a person meets. `scripts/screenshots` puts them into docs/;
// in a check they go to test-results/, and only what must be on them is looked at.
const folder = resolve(import.meta.dirname, process.env.HOIST_PICTURES ?? '../test-results/pictures');

async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}

/** No part of the page is cut off at the side, at any width. */
async function expectNothingSticksOut(page: Page): Promise<void> {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(wide).toBeLessThanOrEqual(screen!);
}

test('the page with nothing, with three files, on a phone and in the dark', async ({ scratch, server, proxied, visit }) => {
  const proxy = await proxied();
  const { page, uploader }: Visit = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  await expect(uploader.rows).toHaveCount(0);
  await picture(page, 'empty');

  const small = [writeRandomFile(scratch.path('holiday.jpg'), 3 * MiB, 'holiday'), writeRandomFile(scratch.path('invoice 2026-11.pdf'), 240 * KiB, 'invoice')];
  await uploader.pick(small);
  await uploader.settled(30_000);
  // The third stands in the middle, so that the picture shows a file on its way.
  const film = writeRandomFile(scratch.path('interview.mkv'), 800 * MiB, 'interview');
  await uploader.pick(film);
  await until('it is on its way', async () => (await server.receivedBytes()) > 200 * MiB);
  await expect(uploader.row('interview.mkv')).toHaveAttribute('data-state', 'uploading');
  await picture(page, 'page');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture(page, 'dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNothingSticksOut(page);
  await picture(page, 'phone');
  await uploader.settled(120_000);
});

test('the page with ten thousand files', async ({ scratch, server, visit }) => {
  const paths = Array.from({ length: 10_000 }, (_, i) => writeRandomFile(scratch.path('many', `photo ${String(i + 1).padStart(5, '0')}.jpg`), 900, `photo ${i}`));
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  await uploader.pick(paths);
  await until('a tenth has arrived', async () => (await server.receivedBytes()) > 900_000);
  await picture(page, 'ten-thousand');
  await uploader.settled(240_000);
});

test('the page with Arabic names', async ({ scratch, server, visit }) => {
  const names = ['تقرير المبيعات ٢٠٢٦.pdf', 'صورة العائلة (1).jpg', 'عقد - نسخة نهائية.docx', 'mixed مختلط name.txt'];
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  await uploader.pick(names.map((name, i) => writeRandomFile(scratch.path('arabic', name), 50_000 * (i + 1), name)));
  await uploader.settled(30_000);
  await expect(uploader.rows).toHaveCount(names.length);
  await picture(page, 'arabic');
  await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
  await expectNothingSticksOut(page);
  await picture(page, 'right-to-left');
});

test.describe('a server that takes at most 1 MiB a file', () => {
  test.use({ serverEnv: { HOIST_MAX_FILE_SIZE: '1MiB' } });

  test('the page with refusals and without a server', async ({ scratch, server, visit }) => {
    const { page, uploader } = await visit(server.url, { linesMayBreak: true });
    await uploader.ready();
    await uploader.pick([
      writeRandomFile(scratch.path('report.pdf'), 300 * KiB, 'report'),
      writeRandomFile(scratch.path('a recording of the whole day with a very long name indeed.wav'), 5 * MiB, 'long'),
    ]);
    await expect(uploader.row('report.pdf')).toHaveAttribute('data-state', 'done');
    const refused = uploader.row('a recording of the whole day with a very long name indeed.wav');
    await expect(refused).toHaveAttribute('data-state', 'failed');
    // Why, in words, with the limit.
    await expect(refused).toContainText(/1(\.0)? M/);
    await server.kill();
    await uploader.pick(writeRandomFile(scratch.path('letter.txt'), 40 * KiB, 'letter'));
    await expect(uploader.row('letter.txt')).not.toHaveAttribute('data-state', 'done');
    await expect(uploader.root).toContainText('The server does not answer.');
    await expectNothingSticksOut(page);
    await picture(page, 'errors');
    await page.setViewportSize({ width: 390, height: 844 });
    await expectNothingSticksOut(page);
    // A name that is cut keeps its ending.
    await expect(refused.getByText('.wav', { exact: true })).toBeInViewport({ ratio: 1 });
    await picture(page, 'errors-phone');
    // Whoever cannot wait need not.
    const again = uploader.root.getByRole('button', { name: 'Try now' });
    await Promise.all([page.waitForRequest('**/hoist/**'), again.click()]);
    await server.restart();
    await expect(uploader.row('letter.txt')).toHaveAttribute('data-state', 'done');
    await expect(again).toHaveCount(0);
    await expect(uploader.root).not.toContainText('does not answer');
  });
});
