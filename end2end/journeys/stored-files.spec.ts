import { mkdirSync } from 'node:fs';
import type { Locator } from '@playwright/test';
import { expectEqualOnDisk } from '../support/expectations.js';
import { hashesBelow, hashesOf, KiB, writeRandomFile } from '../support/files.js';
import { gatePacks, letPass, openGate, packsWait } from '../support/gate.js';
import { expect, test } from '../support/journey.js';

// What the page asks and tells by server functions: list, storage used, rename, delete, undo.
test('stored files are listed, renamed, deleted and taken back on the page', async ({ scratch, server, visit }) => {
  const picked = [writeRandomFile(scratch.path('one.bin'), 300 * KiB, 'one'), writeRandomFile(scratch.path('two.bin'), 200 * KiB, 'two')];
  const { page, uploader } = await visit(server.url, { statuses: [422] });
  await uploader.ready();
  const zip = page.getByRole('link', { name: 'Download all stored files as a zip' });
  await expect(zip).toBeHidden();
  await uploader.pick(picked);
  await uploader.settled(30_000);
  await expectEqualOnDisk(server, picked);

  const section = page.locator('details.stored');
  const sum = section.locator('.stored__sum');
  await expect(sum).toHaveText('2 files, 512 kB');
  await expect(zip).toBeVisible();
  await section.locator('summary').click();
  const rows = section.locator('.stored__row');
  await expect(rows).toHaveCount(2);
  const row = (name: string) => rows.filter({ has: page.locator('bdi', { hasText: new RegExp(`^${name.replace(/[()]/g, '\\$&')}$`) }) });

  const [one, two] = [...(await hashesOf(picked)).values()];
  const rename = async (from: string, to: string): Promise<void> => {
    await row(from).getByRole('button', { name: `Rename ${from}` }).click();
    const field = section.getByLabel(`New name for ${from}`);
    await expect(field).toBeFocused();
    // What stands before the ending is what is written over.
    expect(await field.evaluate(({ value, selectionStart, selectionEnd }: HTMLInputElement) => value.slice(selectionStart!, selectionEnd!))).toBe(from.replace('.bin', ''));
    await field.fill(to);
    await field.press('Enter');
    await expect(field).toHaveCount(0);
    await expect(rows.and(page.locator(':focus'))).toHaveCount(1);
  };
  // A name that is taken: the next free one, and nothing is replaced.
  await rename('one.bin', 'two.bin');
  await expect(row('two (2).bin')).toContainText('It is called two (2).bin now.');
  expect([...(await hashesBelow(server.files))].sort()).toEqual([
    ['two (2).bin', one],
    ['two.bin', two],
  ]);
  await rename('two (2).bin', 'drei ü.bin');
  await expect(row('drei ü.bin')).toHaveCount(1);
  await expect(section.locator('.stored__said')).toHaveCount(0);
  // What cannot be is said where it was asked for, and can be left.
  await row('two.bin').getByRole('button', { name: 'Rename two.bin' }).click();
  await section.getByLabel('New name for two.bin').fill('a/b');
  await section.getByRole('button', { name: 'Save' }).click();
  await expect(row('two.bin').getByRole('alert')).not.toBeEmpty();
  await row('two.bin').getByRole('button', { name: 'Cancel renaming two.bin' }).press('Enter');
  await expect(row('two.bin')).toBeFocused();
  await expect(row('two.bin').getByRole('alert')).toHaveCount(0);
  await expect(section.getByRole('button', { name: 'Save' })).toHaveCount(0);
  expect([...(await hashesBelow(server.files))].sort()).toEqual([
    ['drei ü.bin', one],
    ['two.bin', two],
  ]);
  await row('two.bin').getByRole('button', { name: 'Rename two.bin' }).click();
  await section.getByLabel('New name for two.bin').press('Escape');
  await expect(section.getByRole('button', { name: 'Save' })).toHaveCount(0);
  await expect(row('two.bin')).toBeFocused();
  await row('two.bin').getByRole('button', { name: 'Rename two.bin' }).click();
  await row('two.bin').getByRole('button', { name: 'Delete two.bin' }).click();
  await expect(sum).toHaveText('1 file, 307 kB');
  const list = await fetch(`${server.url}/hoist/uploads`);
  expect(JSON.stringify(await list.json())).not.toContain('two.bin');
  await row('two.bin').getByRole('button', { name: 'Undo delete of two.bin' }).click();
  await expect(sum).toHaveText('2 files, 512 kB');
  await expect(section.getByRole('button', { name: 'Save' })).toHaveCount(0);

  // A page that comes later says the same.
  const later = await visit(server.url);
  await later.uploader.ready();
  await expect(later.page.locator('.stored__sum')).toHaveText('2 files, 512 kB');
  await later.page.locator('details.stored summary').click();
  await expect(later.page.locator('.stored__row')).toHaveCount(2);
  await expect(later.page.locator('.stored__row', { hasText: 'drei ü.bin' })).toHaveCount(1);
});

test('what comes while the list of stored files is open is shown when it is asked for', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  const pick = async (name: string): Promise<void> => {
    await uploader.pick(writeRandomFile(scratch.path(name), 20 * KiB, name));
    await expect(uploader.row(name)).toHaveAttribute('data-state', 'done');
  };
  await pick('one.bin');
  const section = page.locator('details.stored');
  await section.locator('summary').click();
  const rows = section.locator('.stored__row');
  const news = section.getByRole('button', { name: 'Show new files' });
  await expect(rows).toHaveCount(1);
  await expect(news).toHaveCount(0);
  await pick('two.bin');
  await expect(news).toBeVisible();
  await expect(rows, 'nothing moves by itself').toHaveCount(1);
  await news.click();
  await expect(rows.locator('.stored__name bdi bdi:not(.stored__folder)')).toHaveText(['two.bin', 'one.bin']);
  await expect(news).toHaveCount(0);
  // Of one that is deleted here nothing is new, and after it one more is.
  await rows.getByRole('button', { name: 'Delete one.bin', exact: true }).click();
  await expect(section.locator('.stored__sum')).toHaveText('1 file, 20.5 kB');
  await expect(news).toHaveCount(0);
  await pick('three.bin');
  await expect(news).toBeVisible();
  await rows.getByRole('button', { name: 'Undo delete of one.bin' }).click();
  await expect(section.locator('.stored__sum')).toHaveText('3 files, 61.4 kB');
  await expect(news).toBeVisible();
  await news.click();
  await expect(rows).toHaveCount(3);
  await expect(news).toHaveCount(0);
});

test('paths and sizes read as they are on a page that is written from right to left', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
  writeRandomFile(scratch.path('album', 'one.bin'), 20 * KiB, 'one');
  mkdirSync(scratch.path('album', 'empty'));
  await uploader.drop([scratch.path('album')]);
  await uploader.settled(30_000);
  await page.locator('details.stored summary').click();
  const rows = page.locator('.stored__row');
  await expect(rows).toHaveCount(2);
  /** The words of a row from left to right. */
  const seen = (row: Locator, parts: string): Promise<string[]> =>
    row.locator(parts).evaluateAll((all) =>
      all
        .filter((each) => each.textContent)
        .sort((one, other) => one.getBoundingClientRect().left - other.getBoundingClientRect().left)
        .map((each) => each.textContent!),
    );
  const upper = uploader.rows.filter({ hasText: 'one.bin' });
  expect(await seen(upper, '.hoist-uploader__title > bdi')).toEqual(['album/', 'one.bin']);
  const lower = rows.filter({ hasText: 'one.bin' });
  expect(await seen(lower, '.stored__name bdi bdi, .stored__size')).toEqual(['20.5 kB', 'album/', 'one.bin']);
  await expect(lower.getByRole('link', { name: 'Download' })).toHaveCount(1);
  const folder = rows.filter({ hasText: 'empty' });
  await expect(folder.getByRole('button', { name: 'Delete' })).toHaveCount(1);
  await expect(folder.getByRole('link', { name: 'Download' }), 'it has no bytes').toHaveCount(0);
});

// Nothing is asked at the end of all uploads here, because there is none.
test('how much is stored is said while other files still arrive', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await gatePacks(context);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const sum = page.locator('.stored__sum');
  await expect(sum).toHaveText('0 files, 0 bytes');
  await uploader.pick(writeRandomFile(scratch.path('waits.bin'), 20 * KiB, 'waits'));
  await packsWait(page);
  await letPass(page, 1);
  await uploader.pick(writeRandomFile(scratch.path('small.bin'), 20 * KiB, 'small'));
  const row = uploader.row('small.bin');
  await expect(row).toHaveAttribute('data-state', 'done');
  await expect(sum).toHaveText('1 file, 20.5 kB');
  await row.getByRole('button', { name: 'Delete small.bin' }).click();
  await expect(sum).toHaveText('0 files, 0 bytes');
  await row.getByRole('button', { name: 'Undo delete small.bin' }).click();
  await expect(sum).toHaveText('1 file, 20.5 kB');
  await openGate(page);
  await expect(uploader.row('waits.bin')).toHaveAttribute('data-state', 'done');
  await expect(sum).toHaveText('2 files, 41 kB');

  // What an earlier visit has stored counts in other sums.
  await page.reload();
  await uploader.ready();
  await row.getByRole('button', { name: 'Delete small.bin' }).click();
  await expect(sum).toHaveText('1 file, 20.5 kB');
  await row.getByRole('button', { name: 'Undo delete small.bin' }).click();
  await expect(sum).toHaveText('2 files, 41 kB');
});

test('the list of stored files and the uploader above it follow each other', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  mkdirSync(scratch.path('album'));
  writeRandomFile(scratch.path('album/one.bin'), 20 * KiB, 'one');
  const two = writeRandomFile(scratch.path('two.bin'), 30 * KiB, 'two');
  const section = page.locator('details.stored');
  const below = (name: string) => section.locator('.stored__row').filter({ hasText: name });
  await section.locator('summary').click();
  // Where nothing stands, what comes is shown without being asked for.
  await uploader.drop([scratch.path('album'), two]);
  await uploader.settled(10_000);
  await expect(section.locator('.stored__row')).toHaveCount(2);
  const above = uploader.row('one.bin');
  await below('one.bin').getByRole('button', { name: 'Delete album/one.bin' }).click();
  await expect(above).toHaveAttribute('data-state', 'deleting');
  await below('one.bin').getByRole('button', { name: 'Undo delete of album/one.bin' }).click();
  await expect(above).toHaveAttribute('data-state', 'done');
  await below('one.bin').getByRole('button', { name: 'Rename album/one.bin' }).click();
  await section.getByLabel('New name for album/one.bin').fill('three.bin');
  await section.getByRole('button', { name: 'Save' }).click();
  await expect(above).toContainText('stored as three.bin');
  await expect(above.getByRole('link', { name: 'Download three.bin' })).toHaveAttribute('href', /three\.bin$/);
  // While one below is being renamed, another one is deleted above: that one follows, and nothing else moves.
  await below('two.bin').getByRole('button', { name: 'Rename two.bin' }).click();
  const field = section.getByLabel('New name for two.bin');
  await field.fill('half a na');
  await above.getByRole('button', { name: 'Delete album/one.bin' }).click();
  await expect(below('three.bin')).toHaveAttribute('data-deleted', 'true');
  await expect(section.locator('.stored__sum')).toHaveText('1 file, 30.7 kB');
  await expect(field).toHaveValue('half a na');
  // All of it is within a phone.
  await page.setViewportSize({ width: 390, height: 844 });
  const [wide, right] = await page.evaluate(() => {
    const buttons = [...document.querySelectorAll('.stored__rename button')].map((button) => button.getBoundingClientRect().right);
    return [document.querySelector('.stored')!.getBoundingClientRect().right, Math.max(...buttons)] as const;
  });
  expect(right).toBeLessThanOrEqual(wide);
  await below('two.bin').getByRole('button', { name: 'Cancel renaming two.bin' }).click();
  // What is deleted below can be had back above, and the other way round.
  await below('two.bin').getByRole('button', { name: 'Delete two.bin' }).click();
  await uploader.row('two.bin').getByRole('button', { name: 'Undo delete two.bin' }).click();
  await expect(uploader.row('two.bin')).toHaveAttribute('data-state', 'done');
  await expect(below('two.bin')).toHaveAttribute('data-deleted', 'false');
  await below('three.bin').getByRole('button', { name: 'Undo delete of album/three.bin' }).click();
  await expect(above).toHaveAttribute('data-state', 'done');
  await expect(section.locator('.stored__sum')).toHaveText('2 files, 51.2 kB');
  await expect(section.getByRole('button', { name: 'Show new files' })).toHaveCount(0);
  expect(server.published()).toContain('two.bin');
});
