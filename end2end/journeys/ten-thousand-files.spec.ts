import { join } from 'node:path';
import { writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';

test('of 10 000 files few rows are in the document, and scrolling shows the right ones', async ({ scratch, server, visit }) => {
  const count = 10_000;
  const name = (i: number): string => `file ${String(i).padStart(5, '0')}.txt`;
  const paths = Array.from({ length: count }, (_, i) => writeRandomFile(join(scratch.path('many'), name(i)), 10 + (i % 50), `many ${i}`));

  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  // The most rows that were ever in the document, also between two looks at it.
  await page.evaluate(() => {
    const state = { most: 0 };
    Object.assign(globalThis, { rowsInDocument: state });
    const look = (): void => {
      state.most = Math.max(state.most, document.querySelectorAll('[data-key][data-state]').length);
      requestAnimationFrame(look);
    };
    look();
  });
  await uploader.pick(paths);
  await uploader.settled(240_000);

  const tops = await uploader.rows.evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().top));
  const height = tops[1]! - tops[0]!;
  expect(height).toBeGreaterThan(10);
  for (const i of [0, 1, 57, 4321, 5000, 9990, 3, 9999, 2500]) {
    await uploader.scroll(i * height);
    const list = (await uploader.list.boundingBox())!;
    const row = (await uploader.row(name(i)).boundingBox())!;
    expect(row.y, `row ${i} is in view`).toBeGreaterThanOrEqual(list.y - 1);
    expect(row.y + row.height, `row ${i} is in view`).toBeLessThanOrEqual(list.y + list.height + 1);
    // Its neighbours are its neighbours.
    const shown = await uploader.shown();
    const numbers = shown.map(({ file }) => Number(/(\d{5})/.exec(file)![1]));
    expect(numbers).toEqual(numbers.map((_, at) => numbers[0]! + at));
    expect(new Set(shown.map(({ state }) => state))).toEqual(new Set(['done']));
  }
  const most = await page.evaluate(() => (globalThis as unknown as { rowsInDocument: { most: number } }).rowsInDocument.most);
  expect(most).toBeGreaterThan(5);
  expect(most).toBeLessThanOrEqual(100);
  await expectEqualOnDisk(server, paths);
});
