import type { BrowserContext, Locator, Page } from '@playwright/test';
import { KiB, MiB } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { commented, jpeg, look, png, turned, write } from '../support/images.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';
import { Uploader } from '../support/uploader.js';

const GREEN = [0, 160, 0] as const;

/** What the page did for its pictures. */
interface Counts {
  created: number;
  released: number;
  /** Pictures that a worker was asked for. */
  asked: number;
  /** Pictures that were decoded on the page itself. */
  onPage: number;
  /** Milliseconds of each task of the main thread that was too long. */
  longTasks: number[];
}

/** A browser profile in which each page counts. */
async function counting(context: BrowserContext): Promise<BrowserContext> {
  await context.addInitScript(() => {
    const counts: Counts = { created: 0, released: 0, asked: 0, onPage: 0, longTasks: [] };
    const live = new Set<string>();
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (...given) => {
      const url = createObjectURL.apply(URL, given);
      live.add(url);
      counts.created += 1;
      return url;
    };
    URL.revokeObjectURL = (url) => {
      // Twice is once.
      if (live.delete(url)) counts.released += 1;
      revokeObjectURL.call(URL, url);
    };
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (this: Worker, message: object, ...more: unknown[]) {
      // Others send packs.
      if ('source' in message) counts.asked += 1;
      (postMessage as (...given: unknown[]) => void).call(this, message, ...more);
    };
    const { createImageBitmap } = globalThis;
    Object.assign(globalThis, {
      counts,
      createImageBitmap: (...given: [Blob]) => {
        counts.onPage += 1;
        return createImageBitmap(...given);
      },
    });
    new PerformanceObserver((list) => counts.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  return context;
}

const counts = (page: Page): Promise<Counts> => page.evaluate(() => (globalThis as unknown as { counts: Counts }).counts);

const pictures = (rows: Locator): Locator => rows.locator('img');

/** Holds all packs until the answer is called: files stay on their way. */
async function hold(page: Page): Promise<() => void> {
  let release = (): void => undefined;
  const released = new Promise<void>((done) => (release = done));
  await page.route('**/hoist/packs', async (route) => {
    await released;
    await route.continue();
  });
  // What goes through a socket would not come by here.
  await page.evaluate(() => {
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        if (options?.name === 'hoist-sockets') throw new Error('no sockets here');
        super(url, options);
      }
    };
  });
  return release;
}

/** Whether a row is seen, at least in part. */
async function visibleRows(page: Page): Promise<{ name: string; pictured: boolean }[]> {
  return page.locator('.hoist-uploader__list').evaluate((list) => {
    const frame = list.getBoundingClientRect();
    return [...list.querySelectorAll('[data-key]')]
      .filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return bottom > Math.max(0, frame.top) && top < Math.min(innerHeight, frame.bottom);
      })
      .map((row) => ({
        name: row.querySelector('.hoist-uploader__name')!.textContent!,
        pictured: (row.querySelector('img')?.naturalWidth ?? 0) > 0,
      }));
  });
}

async function allVisibleHavePictures(page: Page): Promise<string[]> {
  return until('each row that is seen has its picture', async () => {
    const rows = await visibleRows(page);
    return rows.length > 0 && rows.every(({ pictured }) => pictured) && rows.map(({ name }) => name);
  });
}

test('images have pictures of the right size and the right way up while they are on their way, and nothing is left of them in the end', async ({
  scratch,
  server,
  visit,
  browser,
}) => {
  const context = await counting(await browser.newContext());
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const flat = await jpeg(page, 1200, 800);
  const picked = [
    write(scratch.path('flat.jpg'), flat),
    write(scratch.path('turned.jpg'), turned(flat, 6)),
    write(scratch.path('upside down.jpg'), turned(flat, 3)),
    write(scratch.path('tall.png'), png(400, 1000, GREEN)),
    write(scratch.path('broken.png'), Buffer.from('this is not a picture')),
    write(scratch.path('notes.txt'), Buffer.from('not an image')),
  ];
  const release = await hold(page);
  await uploader.pick(picked);
  await expect(pictures(uploader.rows)).toHaveCount(4);
  for (const name of ['flat.jpg', 'turned.jpg']) await expect(uploader.row(name)).not.toHaveAttribute('data-state', 'done');

  const picture = async (name: string) => look(pictures(uploader.row(name)));
  expect(await picture('flat.jpg')).toEqual({ natural: [48, 32], drawn: [48, 32], top: expect.anything(), bottom: expect.anything(), left: 'red', right: 'blue' });
  // Orientation 6: what is stored on the left belongs on top.
  expect(await picture('turned.jpg')).toMatchObject({ natural: [32, 48], drawn: [32, 48], top: 'red', bottom: 'blue' });
  expect(await picture('upside down.jpg')).toMatchObject({ natural: [48, 32], left: 'blue', right: 'red' });
  expect(await picture('tall.png')).toMatchObject({ natural: [19, 48], drawn: [19, 48], top: 'green', bottom: 'green' });
  // What cannot be a picture goes on saying its type.
  await expect(uploader.row('broken.png').locator('.hoist-uploader__icon')).toHaveText('PNG');
  await expect(uploader.row('notes.txt').locator('.hoist-uploader__icon')).toHaveText('TXT');
  const heights = await uploader.rows.evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
  expect(new Set(heights).size, 'all rows have one height').toBe(1);

  release();
  await uploader.settled(30_000);
  await expectEqualOnDisk(server, picked);
  await expect(pictures(uploader.rows), 'they stay when the files are there').toHaveCount(4);
  expect(await counts(page)).toMatchObject({ created: 4, asked: 5, onPage: 0 });

  expect(page.workers()).toHaveLength(1);
  expect(page.workers()[0]!.url()).toContain(server.url);
  await uploader.root.getByRole('button', { name: 'Clear list' }).click();
  await expect(uploader.rows).toHaveCount(0);
  const { created, released } = await counts(page);
  expect([created, released]).toEqual([4, 4]);
  await until('the worker has ended', () => page.workers().length === 0);
  await context.close();
});

test('large photos are decoded without the page standing still', async ({ scratch, server, visit, browser }) => {
  const context = await counting(await browser.newContext());
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const photo = await jpeg(page, 6000, 4000);
  const count = 8;
  const paths = Array.from({ length: count }, (_, i) => write(scratch.path(`photo ${i}.jpg`), commented(photo, `${i}`)));
  const release = await hold(page);
  // From a page at rest: making the photo was a long task.
  await page.evaluate(() => new Promise((done) => requestIdleCallback(done)));
  const before = (await counts(page)).longTasks.length;
  await uploader.pick(paths);
  await expect(pictures(uploader.rows)).toHaveCount(count);
  const { longTasks, asked, onPage } = await counts(page);
  expect({ asked, onPage }).toEqual({ asked: count, onPage: 0 });
  // Decoded by the page itself, they would take several times as long.
  const stood = longTasks.slice(before).reduce((sum, ms) => sum + ms, 0);
  expect(stood, `long tasks: ${longTasks.slice(before).join(', ')} ms`).toBeLessThan(250);
  release();
  await uploader.settled(60_000);
  await context.close();
});

test('of 500 images only those near the ones that are seen are decoded', async ({ scratch, server, visit, browser }) => {
  const context = await counting(await browser.newContext());
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const name = (i: number): string => `image ${String(i).padStart(3, '0')}.png`;
  const paths = Array.from({ length: 500 }, (_, i) => write(scratch.path('many', name(i)), png(300, 200, GREEN, i)));
  await uploader.pick(paths);
  const first = await allVisibleHavePictures(page);
  expect(first).toContain(name(0));
  await uploader.settled(60_000);
  const atTop = await counts(page);
  expect(atTop.asked).toBeGreaterThanOrEqual(first.length);
  expect(atTop.asked, 'fewer than there are rows in the document').toBeLessThanOrEqual(30);

  // Straight to the end: what lies between was never seen.
  const height = (await uploader.rows.first().boundingBox())!.height;
  await uploader.scroll(height * 480);
  const last = await allVisibleHavePictures(page);
  expect(last.every((shown) => Number(/\d+/.exec(shown)![0]) > 400)).toBe(true);
  const atEnd = await counts(page);
  expect(atEnd.asked - atTop.asked).toBeLessThanOrEqual(50);
  // What has left the document has given its picture back.
  expect(atEnd.created - atEnd.released).toBeLessThanOrEqual(50);
  expect(atEnd.created - atEnd.released).toBeGreaterThanOrEqual(last.length);
  expect(atEnd.onPage).toBe(0);

  await uploader.root.getByRole('button', { name: 'Clear list' }).click();
  await expect(uploader.rows).toHaveCount(0);
  const { created, released } = await counts(page);
  expect(released).toBe(created);
  await context.close();
});

test('what scrolls past before its turn is never decoded', async ({ scratch, server, visit, browser }) => {
  const context = await counting(await browser.newContext());
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  // Slow enough that a queue builds up.
  const photo = await jpeg(page, 6000, 4000);
  const name = (i: number): string => `photo ${String(i).padStart(3, '0')}.jpg`;
  const paths = Array.from({ length: 200 }, (_, i) => write(scratch.path('past', name(i)), commented(photo, `past ${i}`)));
  const release = await hold(page);
  await uploader.pick(paths);
  await expect(uploader.row(name(0))).toBeVisible();
  const height = (await uploader.rows.first().boundingBox())!.height;
  for (let row = 0; row <= 180; row += 6) await uploader.scroll(row * height);
  const last = await allVisibleHavePictures(page);
  expect(last).toContain(name(185));
  expect((await counts(page)).asked).toBeLessThan(150);
  release();
  await uploader.settled(120_000);
  await uploader.root.getByRole('button', { name: 'Clear list' }).click();
  await expect(uploader.rows).toHaveCount(0);
  await until('all is given back', async () => {
    const { created, released } = await counts(page);
    return created > 0 && created === released;
  });
  await context.close();
});

test('after a reload small images have their picture from the server, and large ones are not fetched', async ({ scratch, server, visit, browser }) => {
  const context = await counting(await browser.newContext());
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const flat = await jpeg(page, 1200, 800);
  const small = write(scratch.path('a b#ü.jpg'), turned(flat, 6));
  const large = write(scratch.path('large.png'), Buffer.concat([png(100, 100, GREEN), Buffer.alloc(1.5 * MiB)]));
  const text = write(scratch.path('notes.txt'), Buffer.alloc(3 * KiB));
  await uploader.pick([small, large, text]);
  await uploader.settled(30_000);

  const fetched: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/hoist/files/')) fetched.push(decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1)));
  });
  await page.reload();
  await uploader.ready();
  await expect(uploader.rows).toHaveCount(3);
  expect(await look(pictures(uploader.row('a b#ü.jpg')))).toMatchObject({ natural: [32, 48], top: 'red', bottom: 'blue' });
  await expect(uploader.row('large.png').locator('.hoist-uploader__icon')).toHaveText('PNG');
  expect(await counts(page)).toMatchObject({ asked: 1, created: 1, onPage: 0 });
  expect(fetched).toEqual(['a b#ü.jpg']);
  await context.close();
});

for (const [missing, script] of [
  ['OffscreenCanvas', () => Reflect.deleteProperty(globalThis, 'OffscreenCanvas')],
  ['workers', () => Reflect.deleteProperty(globalThis, 'Worker')],
  [
    'permission to start workers',
    () => {
      const refuse = function (): void {
        throw new DOMException('no workers here', 'SecurityError');
      };
      Object.assign(refuse, { prototype: Worker.prototype });
      Object.assign(globalThis, { Worker: refuse });
    },
  ],
] as const) {
  test(`without ${missing} pictures are made by the page`, async ({ scratch, server, visit, browser }) => {
    const context = await counting(await browser.newContext());
    await context.addInitScript(script);
    const { page, uploader } = await visit(server.url, { context });
    await uploader.ready();
    const flat = await jpeg(page, 1200, 800);
    await uploader.pick([write(scratch.path('flat.jpg'), flat), write(scratch.path('turned.jpg'), turned(flat, 6))]);
    await expect(pictures(uploader.rows)).toHaveCount(2);
    expect(await look(pictures(uploader.row('flat.jpg')))).toMatchObject({ natural: [48, 32], left: 'red', right: 'blue' });
    expect(await look(pictures(uploader.row('turned.jpg')))).toMatchObject({ natural: [32, 48], top: 'red', bottom: 'blue' });
    await uploader.settled(30_000);
    expect(await counts(page)).toMatchObject({ asked: 0, onPage: 2, created: 2 });
    expect(page.workers()).toHaveLength(0);
    await uploader.root.getByRole('button', { name: 'Clear list' }).click();
    await expect(uploader.rows).toHaveCount(0);
    expect((await counts(page)).released).toBe(2);
    await context.close();
  });
}

test('where a policy forbids workers, the page makes the pictures', async ({ scratch, server, browser }) => {
  const context = await counting(await browser.newContext());
  // Not `visit`: it takes a violation of the policy, which this is, for a fault.
  const page = await context.newPage();
  await page.route(`${server.url}/`, async (route) => {
    const answer = await route.fetch();
    const policy = `${answer.headers()['content-security-policy']}; worker-src 'none'`;
    await route.fulfill({ response: answer, headers: { ...answer.headers(), 'content-security-policy': policy } });
  });
  await page.goto(server.url);
  const uploader = await new Uploader(page).ready();
  await uploader.pick(Array.from({ length: 3 }, (_, i) => write(scratch.path(`${i}.png`), png(300, 200, GREEN, i))));
  await expect(pictures(uploader.rows)).toHaveCount(3);
  expect(await look(pictures(uploader.row('2.png')))).toMatchObject({ natural: [48, 32], top: 'green' });
  expect(await counts(page)).toMatchObject({ onPage: 3, created: 3 });
  await uploader.settled(30_000);
  await context.close();
});

test('if only the worker lacks a canvas, the page makes what the worker was asked for', async ({ scratch, server, visit, browser }) => {
  const context = await counting(await browser.newContext());
  await context.route(/\/thumbnails\.js$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `if (self.name === 'hoist-thumbnails') delete self.OffscreenCanvas;\n${await answer.text()}` });
  });
  const { page, uploader } = await visit(server.url, { context });
  await uploader.ready();
  const picked = Array.from({ length: 5 }, (_, i) => write(scratch.path(`${i}.png`), png(300, 200, GREEN, i)));
  await uploader.pick(picked);
  await expect(pictures(uploader.rows)).toHaveCount(5);
  expect(await look(pictures(uploader.row('4.png')))).toMatchObject({ natural: [48, 32], top: 'green' });
  const { asked, onPage } = await counts(page);
  expect(asked).toBeGreaterThan(0);
  expect(onPage).toBe(5);
  expect(page.workers()).toHaveLength(0);
  await uploader.settled(30_000);
  await context.close();
});

test('pictures fit into the size that is set, and are sharp on a dense screen', async ({ server, visit, browser }) => {
  for (const [density, width, height, natural, drawn] of [
    [1, 200, 150, [200, 134], [200, 134]], // rounded up, as the standard says
    [1, 200, 60, [90, 60], [90, 60]],
    [2, 48, 48, [96, 64], [48, 32]],
  ] as const) {
    const context = await counting(await browser.newContext({ deviceScaleFactor: density }));
    const { page, uploader } = await visit(server.url, { context });
    await uploader.ready();
    const flat = await jpeg(page, 1200, 800);
    // The part that the component has for it, as the component calls it.
    await page.evaluate(
      async ([base64, w, h]) => {
        const entries = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/thumbnails.js'));
        const { show } = (await import(entries[0]!.name)) as { show: (box: Element, source: Blob, width: number, height: number, credentials: boolean) => number };
        const box = document.createElement('div');
        document.querySelector('.hoist-uploader')!.prepend(box);
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        show(box, new Blob([bytes], { type: 'image/jpeg' }), w, h, false);
      },
      [flat.toString('base64'), width, height] as const,
    );
    expect(await look(page.locator('.hoist-uploader__picture'))).toMatchObject({ natural, drawn, left: 'red', right: 'blue' });
    await context.close();
  }
});
