import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expectEqualOnDisk } from '../support/expectations.js';
import { MiB, writeRandomFile } from '../support/files.js';
import { expect, test } from '../support/journey.js';

const site = resolve(import.meta.dirname, '../../target/csr');

// Feature `csr`: the page comes as an empty body and a program. The server hands out its files.
test.use({ serverEnv: { LEPTOS_SITE_ROOT: site } });

test('a page that is rendered in the browser alone uploads', async ({ scratch, server, visit }) => {
  expect(existsSync(join(site, 'index.html')), 'scripts/places').toBe(true);
  const html = await (await fetch(`${server.url}/index.html`)).text();
  expect(html, 'nothing is rendered by the server').not.toContain('hoist-uploader');
  const { uploader, page } = await visit(server.url, { path: '/index.html' });
  await uploader.ready();
  await expect(page.getByRole('heading', { name: 'Static page' })).toBeVisible();
  const film = writeRandomFile(scratch.path('film.mkv'), 9 * MiB, 'csr');
  const note = writeRandomFile(scratch.path('note.txt'), 700, 'csr note');
  await uploader.drop([film, note]);
  await uploader.settled(60_000);
  await expectEqualOnDisk(server, [film, note]);
  await expect(uploader.row('film.mkv')).toHaveAttribute('data-state', 'done');
});
