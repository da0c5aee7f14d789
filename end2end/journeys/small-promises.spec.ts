import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';
import { slowTime } from '../support/wire.js';

test('a hash is said to be copied only when the clipboard has it', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const clipboard = { texts: [] as string[], answers: [] as { done: () => void; fail: (reason: Error) => void }[] };
    Object.assign(globalThis, { clipboard });
    navigator.clipboard.writeText = (text) =>
      new Promise((done, fail) => {
        clipboard.texts.push(text);
        clipboard.answers.push({ done, fail });
      });
  });
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  await uploader.pick(writeRandomFile(scratch.path('some.bin'), 3 * KiB, 'copy'));
  await uploader.settled(30_000);

  const answer = async (kind: 'done' | 'fail'): Promise<void> => {
    await page.evaluate(async (how) => {
      const { answers } = (globalThis as unknown as { clipboard: { answers: { done: () => void; fail: (reason: Error) => void }[] } }).clipboard;
      answers.shift()![how](new Error('not allowed'));
      // What it leads to is drawn by then.
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    }, kind);
  };
  const button = uploader.row('some.bin').getByRole('button', { name: 'Copy the BLAKE3 hash' });
  await button.click();
  await expect(button).toHaveText('Copy hash');
  await answer('fail');
  await expect(button).toHaveText('Copy hash');
  await button.click();
  await expect(button).toHaveText('Copy hash');
  await answer('done');
  await expect(button).toHaveText('Copied');
  const [row] = await uploader.shown();
  expect(await page.evaluate(() => (globalThis as unknown as { clipboard: { texts: string[] } }).clipboard.texts)).toEqual([row!.hash, row!.hash]);
  await context.close();
});

test('a delete that has no answer when the page is left is said again', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  // The first one is lost, as on a line that has died unnoticed.
  await context.addInitScript(() => {
    const { open, send } = XMLHttpRequest.prototype;
    const lost = new WeakSet<XMLHttpRequest>();
    XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, ...given: [string, string | URL]) {
      if (String(given[1]).endsWith('/uploads/delete')) {
        lost.add(this);
        Object.assign(globalThis, { isLost: true });
      }
      (open as (...given: unknown[]) => void).apply(this, given);
    };
    XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body?: XMLHttpRequestBodyInit | Document | null) {
      if (!lost.has(this)) send.call(this, body);
    };
  });
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  await uploader.pick(writeRandomFile(scratch.path('some.bin'), 3 * KiB, 'leaving'));
  await uploader.settled(30_000);
  const listed = async (): Promise<number> => {
    const list = (await (await fetch(`${server.url}/hoist/uploads`)).json()) as { uploads: unknown[] };
    return list.uploads.length;
  };
  expect(await listed()).toBe(1);
  await uploader.row('some.bin').getByRole('button', { name: 'Delete' }).click();
  await page.waitForFunction(() => 'isLost' in globalThis);
  expect(await listed(), 'it has not arrived').toBe(1);
  await page.goto('about:blank');
  await until('the file is deleted', async () => (await listed()) === 0);
  await context.close();
});

// What the browser has read ahead is hashed chunk after chunk in one task, so that to look at the time of each by itself would not do.
test('the page gets its turn between the chunks of a large file', async ({ scratch, server, visit, browser }) => {
  const context = await browser.newContext();
  // So a chunk of 1 MiB takes as long as the page may be kept waiting.
  await slowTime(context, 1 / 16);
  await context.addInitScript(() => {
    const turns = { taken: 0 };
    Object.assign(globalThis, { turns });
    globalThis.MessageChannel = class extends MessageChannel {
      constructor() {
        super();
        turns.taken += 1;
      }
    };
  });
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  await uploader.pick(writeRandomFile(scratch.path('large.bin'), 96 * MiB, 'turns'));
  await uploader.settled(60_000);
  const { taken } = await page.evaluate(() => (globalThis as unknown as { turns: { taken: number } }).turns);
  expect(taken).toBeGreaterThan(24);
});
