import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';

test('what is dropped beside the zone is taken, too, and a field of the page keeps its own', async ({ scratch, server, visit }) => {
  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  const [beside, inside, other] = ['beside', 'inside', 'other'].map((name) => writeRandomFile(scratch.path(`${name}.bin`), 30 * KiB, name)) as [string, string, string];
  const isOver = /hoist-uploader__drop--over/;
  // Over the page, the zone shows where they would go; away from it, nothing does.
  await uploader.drag([beside], page.locator('h1'), 'dragEnter', 'dragOver');
  await expect(uploader.zone).toHaveClass(isOver);
  await uploader.drag([beside], uploader.zone, 'dragOver');
  await expect(uploader.zone).toHaveClass(isOver);
  // Out of the window; the protocol of the browser's tools does not say it.
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([], 'x'));
    document.body.dispatchEvent(new DragEvent('dragleave', { bubbles: true, dataTransfer }));
  });
  await expect(uploader.zone).not.toHaveClass(isOver);

  await uploader.drop([beside], page.locator('h1'));
  await uploader.drop([inside]);
  await uploader.settled(10_000);
  await expect(uploader.zone).not.toHaveClass(isOver);
  await expect(uploader.rows).toHaveCount(2);
  await expectEqualOnDisk(server, [beside, inside]);

  await page.evaluate(() => document.body.insertAdjacentHTML('afterbegin', '<input type="file" id="field">'));
  const field = page.locator('#field');
  await uploader.drag([other], field, 'dragEnter', 'dragOver', 'drop');
  await expect.poll(() => field.evaluate((input: HTMLInputElement) => input.files?.[0]?.name)).toBe('other.bin');
  await expect(uploader.rows).toHaveCount(2);
  expect(page.url()).toBe(`${server.url}/`);
});
