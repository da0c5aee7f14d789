import type { Page } from '@playwright/test';
import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';

const isOver = /hoist-uploader__drop--over/;

/** How often the zone was lit up and went out since then. */
async function watchLight(page: Page): Promise<() => Promise<number>> {
  const changes = await page.locator('.hoist-uploader__drop').evaluateHandle((zone) => {
    const counted = { changes: 0 };
    new MutationObserver((list) => (counted.changes += list.length)).observe(zone, { attributes: true, attributeFilter: ['class'] });
    return counted;
  });
  return () => changes.evaluate((counted) => counted.changes);
}

test('what is dropped beside the zone is taken, too', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  const [beside, inside] = ['beside', 'inside'].map((name) => writeRandomFile(scratch.path(`${name}.bin`), 30 * KiB, name)) as [string, string];
  const changes = await watchLight(page);
  // However slow this machine is, what was heard of last goes out when this says so.
  await page.evaluate(() => {
    const wait = setTimeout;
    Object.assign(globalThis, {
      setTimeout: (call: (...given: unknown[]) => void, ms?: number, ...given: unknown[]) => {
        if (ms !== 700) return wait(call, ms, ...given);
        Object.assign(globalThis, { goOut: () => call(...given) });
        return wait(() => undefined, 1e6);
      },
    });
  });
  // Over the page, the zone shows where they would go; what is not heard of any more is not there.
  await uploader.drag([beside], page.locator('h1'), 'dragEnter', 'dragOver');
  await expect(uploader.zone).toHaveClass(isOver);
  await uploader.drag([beside], uploader.zone, 'dragOver');
  await uploader.drag([beside], uploader.button, 'dragOver');
  await uploader.drag([beside], page.locator('h1'), 'dragOver');
  await expect(uploader.zone).toHaveClass(isOver);
  await page.evaluate(() => (globalThis as unknown as { goOut: () => void }).goOut());
  await expect(uploader.zone).not.toHaveClass(isOver);
  expect(await changes(), 'on and off, once each').toBe(2);

  await uploader.drop([beside], page.locator('h1'));
  await uploader.drop([inside]);
  await uploader.settled(10_000);
  await expect(uploader.zone).not.toHaveClass(isOver);
  await expect(uploader.rows).toHaveCount(2);
  await expectEqualOnDisk(server, [beside, inside]);
  expect(page.url()).toBe(`${server.url}/`);
});

test('a drop that somebody else takes is theirs, but for the zone, which takes its own', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  const file = writeRandomFile(scratch.path('some.bin'), 30 * KiB, 'some');
  await page.evaluate(() => {
    document.body.insertAdjacentHTML('afterbegin', '<input type="file" id="field"><p id="theirs">Drop pictures of your cat here</p>');
    const dropped = { theirs: 0 };
    Object.assign(globalThis, { dropped });
    const theirs = document.querySelector('#theirs')!;
    theirs.addEventListener('dragover', (event) => event.preventDefault());
    theirs.addEventListener('drop', (event) => {
      event.preventDefault();
      dropped.theirs += 1;
    });
  });
  const changes = await watchLight(page);
  const [field, theirs] = [page.locator('#field'), page.locator('#theirs')];
  await uploader.drag([file], field, 'dragEnter', 'dragOver', 'drop');
  await expect.poll(() => field.evaluate((input: HTMLInputElement) => input.files?.[0]?.name)).toBe('some.bin');
  await uploader.drag([file], theirs, 'dragEnter', 'dragOver', 'drop');
  expect(await page.evaluate(() => (globalThis as unknown as { dropped: { theirs: number } }).dropped.theirs)).toBe(1);
  // A picture that is dragged away from the page itself is no upload.
  await page.evaluate(() => document.body.dispatchEvent(new DragEvent('dragstart', { bubbles: true })));
  await uploader.drag([file], page.locator('h1'), 'dragEnter', 'dragOver');
  await page.evaluate(() => document.body.dispatchEvent(new DragEvent('dragend', { bubbles: true })));
  await expect(uploader.rows).toHaveCount(0);
  expect(await changes()).toBe(0);

  // The usual guard of a page that wants no drops at all.
  await page.evaluate(() => {
    for (const kind of ['dragover', 'drop']) document.addEventListener(kind, (event) => event.preventDefault(), { capture: true });
  });
  await uploader.drop([file]);
  await uploader.settled(10_000);
  await expectEqualOnDisk(server, [file]);
});

test('the place of who has pressed a button is kept when it goes, and only then', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  const pick = (name: string) => uploader.pick(writeRandomFile(scratch.path(name), 3 * KiB, name));
  await pick('one.bin');
  await uploader.settled(10_000);
  // What is pressed stays, and then the person goes elsewhere.
  await uploader.row('one.bin').getByRole('button', { name: 'Copy the BLAKE3 hash' }).click();
  await page.locator('.page__lead').click();
  await pick('two.bin');
  await expect(uploader.row('two.bin')).toHaveAttribute('data-state', 'done');
  expect(await page.evaluate(() => document.activeElement === document.body)).toBe(true);
  await uploader.row('one.bin').getByRole('button', { name: 'Delete one.bin' }).press('Enter');
  await expect(uploader.row('one.bin')).toBeFocused();
  await uploader.row('one.bin').getByRole('button', { name: 'Undo delete one.bin' }).press('Enter');
  await expect(uploader.row('one.bin')).toHaveAttribute('data-state', 'done');
  await expect(uploader.row('one.bin')).toBeFocused();
  await uploader.root.getByRole('button', { name: 'Clear list' }).press('Enter');
  await expect(uploader.root).toBeFocused();
});
