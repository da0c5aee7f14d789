import type { Page } from '@playwright/test';
import { GiB, KiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk, expectNothingSentTwice } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

test('a server killed in the middle of 1 GiB is started again, and the upload continues by itself', async ({ scratch, server, proxied, visit }) => {
  const film = writeRandomFile(scratch.path('film.mkv'), GiB, 'killed');
  const proxy = await proxied(); // only counts
  const { uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  await uploader.pick(film);

  const before = await until('two fifths have arrived', async () => {
    const received = await server.receivedBytes();
    return received > 0.4 * GiB && received;
  });
  await server.kill();
  expect(proxy.carried, 'its packs went through sockets').toBeGreaterThan(3);
  expect(server.published(), 'it was killed in the middle').toEqual([]);
  const passedBefore = proxy.passedBytes;
  expect(passedBefore).toBeLessThan(0.95 * GiB);
  expect(passedBefore).toBeGreaterThanOrEqual(before);

  await server.restart();
  await uploader.settled(180_000);
  await expectEqualOnDisk(server, [film]);
  await expect(uploader.row('film.mkv')).toHaveAttribute('data-state', 'done');
  // Its count starts anew with it; what it had received before, the proxy knows.
  expectNothingSentTwice((await server.receivedBytes()) + passedBefore, GiB, proxy);
});

/** Nothing comes any more by waiting. */
const stopWaiting = (page: Page): Promise<void> =>
  page.evaluate(() => {
    for (let id = Number(setTimeout(() => undefined)); id > 0; id -= 1) clearTimeout(id);
    Object.assign(globalThis, { realTimeout: setTimeout, setTimeout: () => 0 });
  });

for (const how of ['presses “Try now”', 'comes back to the page'] as const) {
  test(`who ${how} after the server was away does not wait for the next turn`, async ({ scratch, server, visit }) => {
    const { page, uploader } = await visit(server.url, { linesMayBreak: true });
    await uploader.ready();
    await server.kill();
    const file = writeRandomFile(scratch.path('letter.txt'), 40 * KiB, how);
    const again = uploader.root.getByRole('button', { name: 'Try now' });
    let failed = 0;
    page.on('requestfailed', () => (failed += 1));
    await uploader.pick(file);
    if (how === 'comes back to the page') {
      // While nobody looks, nothing is drawn that could be looked at.
      await page.evaluate(() => {
        const heldFrames: FrameRequestCallback[] = [];
        Object.assign(globalThis, { heldFrames, realFrame: requestAnimationFrame, requestAnimationFrame: (frame: FrameRequestCallback) => heldFrames.push(frame) });
      });
      await until('several tries have failed', () => Promise.resolve(failed > 3));
    } else await expect(again).toBeVisible();
    await stopWaiting(page);
    await server.restart();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    // A page that nobody sees, and one that says so of itself, is let be.
    const turnTo = (hidden: boolean): Promise<void> =>
      page.evaluate((is) => {
        Object.defineProperty(document, 'hidden', { value: is, configurable: true });
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
      }, hidden);
    await turnTo(true);
    expect(asked).toEqual([]);
    await page.evaluate(() => {
      const { realTimeout, realFrame = requestAnimationFrame, heldFrames = [] } = globalThis as unknown as {
        realTimeout: typeof setTimeout;
        realFrame?: typeof requestAnimationFrame;
        heldFrames?: FrameRequestCallback[];
      };
      Object.assign(globalThis, { setTimeout: realTimeout, requestAnimationFrame: realFrame });
      heldFrames.forEach((frame) => realFrame(frame));
    });
    await (how === 'comes back to the page' ? turnTo(false) : again.click());
    await expect(uploader.row('letter.txt')).toHaveAttribute('data-state', 'done');
    await expect(again).toHaveCount(0);
    await expectEqualOnDisk(server, [file]);
  });
}
