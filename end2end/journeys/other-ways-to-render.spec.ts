import { expectEqualOnDisk } from '../support/expectations.js';
import { KiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { csr, freePort, islands, readme, Server } from '../support/server.js';
import { Site } from '../support/site.js';
import { Uploader } from '../support/uploader.js';

for (const [what, app, alive] of [
  ['a page of islands comes alive where the uploader is, and sends', islands, 'leptos-island .hoist-uploader'],
  ["the app of the README's chapter takes files", readme, 'body > .hoist-uploader'],
] as const) {
  test(what, async ({ scratch, visit }) => {
    const server = await Server.start(scratch.path('app'), {}, app);
    const { page } = await visit(server.url);
    await expect(page.locator(alive)).toHaveCount(1);
    const uploader = await new Uploader(page).ready();
    const files = ['a', 'b'].map((name) => writeRandomFile(scratch.path(`${name}.bin`), 3000 * KiB, name));
    await uploader.pick(files);
    for (const name of ['a.bin', 'b.bin']) await expect(uploader.row(name)).toHaveAttribute('data-state', 'done');
    await expectEqualOnDisk(server, files);
    await server.kill();
  });
}

test('a page that is rendered in the browser alone sends to a server of another origin, and finds its own again', async ({ scratch, visit }) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const site = await Site.start(csr, (html) => html.replace('data-uploads="/hoist"', `data-uploads="${url}/hoist"`));
  const allowed = { HOIST_ADDR: `127.0.0.1:${port}`, HOIST_ALLOW_ORIGINS: site.url };
  const server = await Server.start(scratch.path('hoist'), allowed, undefined, port);
  const { page } = await visit(site.url);
  const uploader = await new Uploader(page).ready();
  const file = writeRandomFile(scratch.path('film.bin'), 5000 * KiB, 'film');
  await uploader.pick(file);
  await expect(uploader.row('film.bin')).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, [file]);

  await page.reload();
  await uploader.ready();
  await uploader.pick(file);
  await expect(uploader.row('film.bin')).toHaveAttribute('data-state', 'present');
  // Another page is not let in, whatever it asks.
  const foreign = await fetch(`${url}/hoist/uploads`, { headers: { origin: 'http://evil.example' } });
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  await server.kill();
  await site.stop();
});
