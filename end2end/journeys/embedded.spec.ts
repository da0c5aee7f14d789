import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { look, png, write } from '../support/images.js';
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
  // Larger than what is sent from memory anyway.
  const paper = writeRandomFile(scratch.path('receipt.pdf'), 300 * KiB, 'receipt');
  await page.locator('input[name=subject]').fill('a broken camera');
  await album.pick(picture);
  await expect(album.row('beach.png')).toHaveAttribute('data-state', 'done');
  await papers.pick(paper);
  await expect(papers.row('receipt.pdf')).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, [picture, paper]);
  // The page's own option travels: chunks of 256 KiB.
  const { lengths, slices, buffers, forms } = await until('all manifests are read', async () => {
    const seen = await seenOnTheWire(page);
    return seen.lengths.length >= 4 && seen;
  });
  // One sends its file as it lies on the disk, the other a buffer, as each was told.
  expect({ slices, buffers, forms }).toEqual({ slices: 0, buffers: 1, forms: 1 });
  expect([...lengths].sort((a, b) => b - a)).toEqual([300 * KiB, 256 * KiB, 256 * KiB, 188 * KiB]);
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

  // Enter in a field of the form presses the form's own button, not one of ours.
  const subject = page.locator('input[name=subject]');
  await papers.ready();
  await subject.fill('a lost bag');
  await subject.press('Enter');
  await page.waitForURL(/subject=a\+lost\+bag/);
  expect(new URL(page.url()).pathname).toBe('/');
  await context.close();
  await server.kill();
});

test('pictures are as large as the page around it says', async ({ scratch, visit }) => {
  const server = await Server.start(scratch.path('gallery'), {}, gallery);
  const { page } = await visit(server.url);
  const album = await new Uploader(page, '#album').ready();
  await album.pick([write(scratch.path('wide.png'), png(1200, 800, [0, 160, 0])), write(scratch.path('high.png'), png(400, 1600, [0, 160, 0]))]);
  for (const [name, size] of Object.entries({ 'wide.png': [96, 64], 'high.png': [16, 64] })) {
    const picture = album.row(name).locator('img');
    await expect(picture).toBeVisible();
    // The row may be drawn anew while the file is on its way.
    await expect.poll(() => look(picture).catch(() => undefined), { message: name }).toMatchObject({ natural: size, drawn: size, top: 'green' });
    await expect(album.row(name)).toHaveAttribute('data-state', 'done');
  }
  await server.kill();
});

test("the page around it shows each file's progress and all of it from signals, and is told what happens", async ({ scratch, visit }) => {
  const server = await Server.start(scratch.path('gallery'), {}, gallery);
  const { page } = await visit(server.url);
  const album = await new Uploader(page, '#album').ready();
  const papers = await new Uploader(page, '#claim').ready();
  await page.evaluate(() => {
    const seen = { all: [] as [number, number][], each: {} as Record<string, number[]> };
    Object.assign(window, { seen });
    const look = () => {
      const all = document.querySelector<HTMLProgressElement>('#all');
      if (all) seen.all.push([all.value, all.max]);
      for (const row of document.querySelectorAll('#each li')) {
        const [, name = '', shown] = /^(.*): (\d+) of/.exec(row.textContent ?? '') ?? [];
        (seen.each[name] ??= []).push(Number(shown));
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });

  const sizes: Record<string, number> = { 'a.png': 20 * 1024 * KiB, 'b.png': 9 * 1024 * KiB };
  const total = Object.values(sizes).reduce((sum, size) => sum + size);
  const files = Object.entries(sizes).map(([name, size]) => writeRandomFile(scratch.path(name), size, name));
  await album.pick(files);
  for (const name of Object.keys(sizes)) await expect(album.row(name)).toHaveAttribute('data-state', 'done');
  await expect(page.locator('#each li', { hasText: `a.png: ${sizes['a.png']} of ${sizes['a.png']}` })).toHaveCount(1);
  await expectEqualOnDisk(server, files);
  const seen = await page.evaluate(() => (window as unknown as { seen: { all: [number, number][]; each: Record<string, number[]> } }).seen);
  const climbs = (values: number[]) => values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0));
  const under = (values: number[], end: number) => values.filter((value) => value > 0 && value < end);
  // Both files at once in one sum, which climbs and is seen on its way, as each of them is.
  const all = seen.all.filter(([, max]) => max === total).map(([value]) => value);
  expect(climbs(all)).toBe(true);
  expect(all.at(-1)).toBe(total);
  expect(under(all, total)).not.toEqual([]);
  for (const [name, size] of Object.entries(sizes)) {
    const values = seen.each[name] ?? [];
    expect(climbs(values), name).toBe(true);
    expect(values.at(-1), name).toBe(size);
  }
  expect(under(seen.each['a.png'] ?? [], sizes['a.png'] ?? 0)).not.toEqual([]);

  // The other one tells what happens, in order, and each thing once.
  await papers.pick(writeRandomFile(scratch.path('c.txt'), 3 * KiB, 'c'));
  await expect(papers.row('c.txt')).toHaveAttribute('data-state', 'done');
  await expect(page.locator('#events')).toHaveText('added started chunk success complete');
  await server.kill();
});

test('what the page does not take is refused with its reason, and the server never hears of it', async ({ scratch, visit }) => {
  const server = await Server.start(scratch.path('gallery'), {}, gallery);
  const { page } = await visit(server.url);
  const papers = await new Uploader(page, '#claim').ready();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.method() === 'POST' ? (request.postData() ?? '') : ''));
  const file = (name: string, size: number): string => writeRandomFile(scratch.path(name), size, name);
  const refused = async (path: string, name: string, words: string): Promise<void> => {
    await papers.input.setInputFiles(path); // nothing begins that could be waited for
    await expect(papers.row(name)).toHaveAttribute('data-state', 'failed');
    await expect(papers.row(name)).toContainText(words);
  };

  await refused(file('tiny.txt', 9), 'tiny.txt', 'The file is smaller than 10 bytes.');
  await refused(file('huge.pdf', 1_000_001), 'huge.pdf', 'The file is larger than 1 MB.');
  await refused(file('program.exe', 5000), 'program.exe', 'Files of this type are not taken here.');
  // What is refused counts for nothing: these are exactly all that may come.
  const taken = [file('a.pdf', 1_000_000), file('b.pdf', 900_000), file('c.txt', 10)];
  await papers.pick(taken);
  await refused(file('d.pdf', 99_991), 'd.pdf', 'All files together are larger than 2 MB.');
  taken.push(file('e.pdf', 99_990));
  await papers.pick(taken[3]!);
  await refused(file('f.txt', 10), 'f.txt', 'At most 4 files can be added.');
  for (const name of ['a.pdf', 'b.pdf', 'c.txt', 'e.pdf']) await expect(papers.row(name)).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, taken);
  const told = asked.join('\n');
  expect(told).toContain('e.pdf');
  for (const name of ['tiny.txt', 'huge.pdf', 'program.exe', 'd.pdf', 'f.txt']) expect(told, name).not.toContain(name);
  await server.kill();
});
