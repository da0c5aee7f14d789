import { appendFileSync, rmSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { closeGate, gatePacks, openGate, packsWait } from '../support/gate.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

/** What the server tells of this browser's uploads: names of finished ones, and of unfinished ones. */
async function stored(page: Page): Promise<{ finished: string[]; unfinished: string[] }> {
  const answer = await page.request.get(new URL('/hoist/uploads', page.url()).href);
  const { uploads } = (await answer.json()) as { uploads: { status: string; name?: string; receipt?: { name: string } }[] };
  const names = (isFinished: boolean): string[] =>
    uploads
      .filter(({ status }) => (status === 'finished') === isFinished)
      .map(({ name, receipt }) => receipt?.name ?? name!)
      .sort();
  return { finished: names(true), unfinished: names(false) };
}

/** Requests that the page makes of the protocol from now on: method, last part of the path, body. */
function watch(page: Page): string[] {
  const seen: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/hoist/')) seen.push(`${request.method()} ${pathname.slice('/hoist'.length)}`);
  });
  return seen;
}

test('cancel drops what has not begun, deletes what is under way, and touches nothing that was there', async ({ scratch, server, visit, browser }) => {
  const keep = [writeRandomFile(scratch.path('keep.bin'), 300 * KiB, 'keep'), writeRandomFile(scratch.path('also kept.bin'), 2 * KiB, 'also')];
  const first = await visit(server.url);
  await first.uploader.ready();
  await first.uploader.pick(keep);
  await first.uploader.settled(30_000);
  await expectEqualOnDisk(server, keep);

  const context = await browser.newContext();
  await gatePacks(context, 2);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  // Listed by the server, and chosen again: neither is this visit's to cancel.
  await expect(uploader.row('also kept.bin')).toHaveAttribute('data-state', 'done');
  await uploader.pick(keep[0]!);
  await expect(uploader.row('keep.bin')).toHaveAttribute('data-state', 'present');

  await uploader.pick(writeRandomFile(scratch.path('running.bin'), 96 * MiB, 'running'));
  await packsWait(page);
  await until('a part of it is acknowledged', async () => (await server.receivedBytes()) > MiB);
  expect((await stored(page)).unfinished).toEqual(['running.bin']);
  await uploader.root.getByRole('button', { name: 'Pause all' }).click();

  // Not started: no request at all.
  const asked = watch(page);
  await uploader.pick([writeRandomFile(scratch.path('a.bin'), 5 * KiB, 'a'), writeRandomFile(scratch.path('b.bin'), 5 * KiB, 'b')]);
  for (const name of ['a.bin', 'b.bin']) {
    await uploader.row(name).getByRole('button', { name: `Cancel ${name}` }).click();
    await expect(uploader.row(name)).toHaveAttribute('data-state', 'cancelled');
  }
  expect(asked).toEqual([]);

  // Running: stopped, and the server told; the other rows stay as they are.
  await uploader.root.getByRole('button', { name: 'Cancel all' }).click();
  await expect(uploader.row('running.bin')).toHaveAttribute('data-state', 'cancelled');
  await until('the server has deleted it', async () => (await stored(page)).unfinished.length === 0);
  await openGate(page);
  await uploader.settled(30_000);
  expect(asked.filter((request) => request.endsWith('/packs')), 'what was held is never sent').toEqual([]);
  expect(asked.filter((request) => request === 'POST /uploads/delete')).toHaveLength(1);
  // What was there already leaves the list of what was chosen, and what is listed stays.
  await expect(uploader.row('keep.bin')).toHaveCount(0);
  await expect(uploader.row('also kept.bin')).toHaveAttribute('data-state', 'done');
  expect((await stored(page)).finished).toEqual(['also kept.bin', 'keep.bin']);
  await expectEqualOnDisk(server, keep);
  await context.close();
});

test('a finished file is deleted on the server, comes back by undo, and a delete outlives the page and a dead server', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  const { page, uploader } = await visit(server.url, { context, linesMayBreak: true });
  await uploader.ready();
  await uploader.pick(writeRandomFile(scratch.path('done.bin'), 3 * MiB, 'done'));
  await uploader.settled(30_000);
  const row = uploader.row('done.bin');
  await expect(row).toHaveAttribute('data-state', 'done');
  await row.getByRole('button', { name: 'Delete done.bin' }).click();
  await until('the server has deleted it', async () => (await stored(page)).finished.length === 0);
  await expect(uploader.root.getByRole('status')).toHaveText('1 deleted.');
  await expect(row).toContainText('Deleted · 3.1 MB · can still be undone');
  // As long as it can be had back it stays on the list.
  await expect(uploader.root.getByRole('button', { name: 'Clear list' })).toHaveCount(0);
  await row.getByRole('button', { name: 'Undo delete done.bin' }).click();
  await expect(row).toHaveAttribute('data-state', 'done');
  expect((await stored(page)).finished).toEqual(['done.bin']);
  await expectEqualOnDisk(server, [scratch.path('done.bin')]);

  // Nobody answers: it is said again and again, and not forgotten with the page.
  await server.kill();
  let broken = 0;
  page.on('requestfailed', (request) => (broken += request.url().endsWith('/uploads/delete') ? 1 : 0));
  await row.getByRole('button', { name: 'Delete done.bin' }).click();
  await until('it was tried again', () => broken >= 2);
  await page.close();
  await server.restart();
  const list = await context.request.get(`${server.url}/hoist/uploads`);
  expect(await list.text(), 'the server was never told').toContain('done.bin');
  const next = await visit(server.url, { context });
  // It is told now, so it is not shown as there.
  await next.uploader.ready();
  await expect(next.uploader.row('done.bin')).toHaveCount(0);
  await until('the server has deleted it', async () => (await stored(next.page)).finished.length === 0);
  // And then it is forgotten.
  await until('nothing is kept', () => next.page.evaluate(() => localStorage.length === 0));
  await context.close();
});

test('cancel all deletes what is stored, one undo brings all of it back, and the rows can be cleared', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await gatePacks(context, 100);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const kept = [1, 2, 3].map((n) => writeRandomFile(scratch.path(`kept ${n}.bin`), n * 70 * KiB, `kept ${n}`));
  await uploader.pick(kept);
  await uploader.settled(30_000);
  const button = (name: string) => uploader.root.getByRole('button', { name, exact: true });
  await expect(button('Undo deletes')).toHaveCount(0);
  await closeGate(page);
  await uploader.pick(writeRandomFile(scratch.path('running.bin'), 96 * MiB, 'running'));
  await button('Cancel all').click();
  const summary = uploader.root.locator('.hoist-uploader__summary');
  await expect(summary).toHaveText('1 cancelled · 3 deleted');
  expect(await stored(page)).toEqual({ finished: [], unfinished: [] });

  await button('Undo deletes').click();
  for (const name of ['kept 1.bin', 'kept 2.bin', 'kept 3.bin']) await expect(uploader.row(name)).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, kept);
  await expect(button('Undo deletes')).toHaveCount(0);
  await expect(summary).toContainText('3 of 3 files uploaded');
  await expect(uploader.root.getByRole('status')).toHaveText('3 restored.');
  await button('Clear list').click();
  await expect(uploader.rows).toHaveCount(0);
  await expect(summary).toHaveCount(0);

  // Also where nothing else is left.
  await uploader.pick(writeRandomFile(scratch.path('never.bin'), 20 * MiB, 'never'));
  await button('Cancel all').click();
  await expect(summary).toHaveText('1 cancelled');
  await expect(uploader.root.getByRole('status')).toHaveText('1 cancelled.');
  await button('Clear list').click();
  await expect(uploader.rows).toHaveCount(0);
  await context.close();
});

test('of 300 files in packs on their way one is cancelled, one is gone, one has changed: 297 arrive', async ({ scratch, server, visit, browser }) => {
  const [cancelled, gone, changed] = ['file 001.bin', 'file 002.bin', 'file 003.bin'];
  const files = Array.from({ length: 300 }, (_, i) => {
    const name = `file ${String(i).padStart(3, '0')}.bin`;
    // Larger ones are read again when they are sent, so that it is in the pack that they fail.
    return writeRandomFile(scratch.path('three hundred', name), [gone, changed].includes(name) ? 300 * KiB : 9 * KiB, name);
  });

  const context = await browser.newContext();
  await gatePacks(context);
  const { page, uploader } = await visit(server.url, { context, linesMayBreak: true });
  await uploader.ready();
  await uploader.pick(files);
  await packsWait(page);
  await uploader.row(cancelled).getByRole('button', { name: `Cancel ${cancelled}` }).click();
  await expect(uploader.row(cancelled)).toHaveAttribute('data-state', 'cancelled');
  rmSync(scratch.path('three hundred', gone));
  appendFileSync(scratch.path('three hundred', changed), 'more');
  await openGate(page);
  await uploader.settled(60_000);

  const arrive = files.filter((_, i) => i < 1 || i > 3);
  expect(arrive).toHaveLength(297);
  await expectEqualOnDisk(server, arrive);
  await expect(uploader.row(cancelled)).toHaveAttribute('data-state', 'cancelled');
  for (const name of [gone, changed]) await expect(uploader.row(name)).toContainText('The file cannot be read any more.');
  expect((await stored(page)).unfinished).not.toContain(cancelled);
  await context.close();
});

test('cancel all ends pause all: what is picked next is sent', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await gatePacks(context);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  await uploader.pick(writeRandomFile(scratch.path('first.bin'), 20 * KiB, 'first'));
  await packsWait(page);
  await uploader.root.getByRole('button', { name: 'Pause all' }).click();
  await expect(uploader.row('first.bin')).toHaveAttribute('data-state', 'paused');
  await uploader.root.getByRole('button', { name: 'Cancel all' }).click();
  await expect(uploader.row('first.bin')).toHaveAttribute('data-state', 'cancelled');
  await openGate(page);
  const second = writeRandomFile(scratch.path('second.bin'), 20 * KiB, 'second');
  await uploader.pick(second);
  await uploader.settled(30_000);
  await expectEqualOnDisk(server, [second]);
  await context.close();
});

test('of what is paused one goes on by itself, and the totals say so', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await gatePacks(context);
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const button = (name: string) => uploader.root.getByRole('button', { name, exact: true });
  const summary = uploader.root.locator('.hoist-uploader__summary');
  const files = ['one', 'two', 'three'].map((name) => writeRandomFile(scratch.path(`${name}.bin`), 20 * KiB, name));
  await uploader.pick(files);
  await packsWait(page);
  await button('Pause all').click();
  await expect(summary).toHaveText('0 of 3 files · 0 bytes of 61.4 kB · Paused');
  await button('Resume two.bin').click();
  await packsWait(page, 2);
  await expect(summary).toHaveText('0 of 3 files · 0 bytes of 61.4 kB · the others paused');
  await openGate(page);
  await expect(uploader.row('two.bin')).toHaveAttribute('data-state', 'done');
  await expect(summary).toHaveText('1 of 3 files · 20.5 of 61.4 kB · Paused');
  await button('Resume all').click();
  await uploader.settled(30_000);
  await expectEqualOnDisk(server, files);
  await context.close();
});
