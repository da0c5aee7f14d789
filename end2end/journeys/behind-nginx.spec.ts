import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, MiB, writeRandomFile, writeTree } from '../support/files.js';
import { expect, test as base } from '../support/journey.js';
import { careless, Nginx, recipe } from '../support/nginx.js';
import { until } from '../support/server.js';

const test = base.extend<{ nginx: (block: string) => Promise<Nginx> }>({
  nginx: async ({ scratch, server }, use, info) => {
    const all: Nginx[] = [];
    await use(async (block) => {
      all.push(await Nginx.start(scratch.path('nginx', String(all.length)), block, server.port));
      return all.at(-1)!;
    });
    for (const each of all) await each.stop();
    if (info.status !== info.expectedStatus) await info.attach('packs', { body: all.map((each) => each.packs().join(' ')).join('\n'), contentType: 'text/plain' });
  },
});

test('the recipe of docs/proxies.md carries the page, an upload, a killed server and what goes on after it', async ({ scratch, server, nginx, visit }) => {
  const proxy = await nginx(recipe());
  const photos = scratch.path('photos');
  const count = writeTree(photos, 30, 'nginx');
  const film = writeRandomFile(scratch.path('film.mkv'), 400 * MiB, 'nginx film');
  const { uploader, page } = await visit(proxy.url, { linesMayBreak: true, statuses: [502, 503, 504] });
  await uploader.ready();
  await uploader.drop([photos, film]);
  const before = await until('a fifth has arrived', async () => {
    const received = await server.receivedBytes();
    return received > 80 * MiB && received;
  });
  await server.kill();
  expect(before, 'in the middle').toBeLessThan(380 * MiB);
  // Nginx answers now, in HTML.
  const answer = await until('nginx says 502', async () => {
    const said = await fetch(`${proxy.url}/another/limits`);
    return said.status === 502 && said;
  });
  expect(answer.headers.get('content-type')).toContain('text/html');
  await until('the page has met it, too', () => proxy.calls().includes(502));
  expect(proxy.calls(), 'its packs went through sockets').toContain(101);
  await server.restart();

  await uploader.settled(180_000);
  await expectEqualOnDisk(server, [photos, film]);
  expect(await server.receivedBytes(), 'what was acknowledged is not sent again').toBeLessThan(400 * MiB - before / 2);
  expect(proxy.packs(), 'none is too large').not.toContain(413);
  expect((await uploader.all()).filter(({ state }) => state === 'done')).toHaveLength(count + 1);
  // The form, which has a body of any length.
  const form = new FormData();
  form.append('file', new Blob([Buffer.alloc(40 * MiB, 7)]), 'plain.bin');
  const sent = await fetch(`${proxy.url}/hoist/form`, { method: 'POST', body: form, redirect: 'manual' });
  expect(sent.status).toBe(303);
  expect(server.published()).toContain('plain.bin');
  await page.close();
});

test('as nginx comes, with a limit of 1 MiB for each request, everything arrives in smaller chunks', async ({ scratch, server, nginx, visit }) => {
  const proxy = await nginx(careless);
  const film = writeRandomFile(scratch.path('film.mkv'), 24 * MiB, 'careless');
  const second = writeRandomFile(scratch.path('second.mkv'), 5 * MiB, 'careless second');
  const photos = scratch.path('photos');
  writeTree(photos, 300, 'careless');
  const { uploader } = await visit(proxy.url, { linesMayBreak: true, statuses: [413] });
  await uploader.ready();
  await uploader.drop([photos, film, second]);
  await uploader.settled(180_000);
  await expectEqualOnDisk(server, [photos, film, second]);
  const packs = proxy.packs();
  const refused = packs.filter((status) => status === 413).length;
  // A chunk of 1 MiB alone, with its manifest, is more than nginx takes.
  expect(refused).toBeGreaterThan(0);
  // A page that learns nothing would meet it with every pack.
  expect(refused).toBeLessThan(20);
  expect(packs.filter((status) => status === 200).length).toBeGreaterThanOrEqual(29);
});

test.describe('as nginx comes, and told so', () => {
  test.use({ serverEnv: { HOIST_PACK_SIZE: '1MiB' } });

  test('not one pack is refused', async ({ scratch, server, nginx, visit }) => {
    const proxy = await nginx(careless);
    const film = writeRandomFile(scratch.path('film.mkv'), 24 * MiB, 'told');
    const { uploader } = await visit(proxy.url);
    await uploader.ready();
    await uploader.drop([film]);
    await uploader.settled(180_000);
    await expectEqualOnDisk(server, [film]);
    expect(new Set(proxy.packs())).toEqual(new Set([200]));
  });
});

test('a limit below the smallest chunk is said on the row, with what to set, and small files go through', async ({ scratch, server, nginx, visit }) => {
  const proxy = await nginx(careless.replace('location', 'client_max_body_size 32k;\n  location'));
  const film = writeRandomFile(scratch.path('film.mkv'), 3 * MiB, 'too large');
  const note = writeRandomFile(scratch.path('note.txt'), 10 * KiB, 'note');
  const { uploader } = await visit(proxy.url, { statuses: [413] });
  await uploader.ready();
  await uploader.drop([film, note]);
  await uploader.settled(180_000);
  await expect(uploader.row('film.mkv')).toHaveAttribute('data-state', 'failed');
  await expect(uploader.row('film.mkv')).toContainText('(a proxy) refuses requests of 65.5 kB, with status 413');
  await expect(uploader.row('film.mkv')).toContainText('client_max_body_size');
  expect(proxy.packs().filter((status) => status === 413).length, 'it is not asked for ever').toBeLessThan(20);
  await expectEqualOnDisk(server, [note]);
});
