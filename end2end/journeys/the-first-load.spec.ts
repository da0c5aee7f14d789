import { brotliDecompressSync } from 'node:zlib';
import { get } from 'node:http';
import { MiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { Uploader } from '../support/uploader.js';

/** As the browser asks, but nobody decompresses it on the way. */
async function raw(url: string): Promise<{ encoding: string | undefined; type: string | undefined; body: Buffer }> {
  return new Promise((done, fail) => {
    get(url, { headers: { 'accept-encoding': 'gzip, deflate, br, zstd' } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => done({ encoding: answer.headers['content-encoding'], type: answer.headers['content-type'], body: Buffer.concat(parts) }));
    }).on('error', fail);
  });
}

test('the wasm is small, compressed, and asked for once; the policy is strict and nothing breaks it', async ({ server, visit }) => {
  const visited = await visit(server.url);
  await visited.uploader.ready();
  expect(visited.wasmRequests).toHaveLength(1);

  const wasm = await raw(server.url + visited.wasmRequests[0]!);
  expect(wasm.encoding).toBe('br');
  expect(wasm.type).toBe('application/wasm');
  // scripts/wasm-size has the same number.
  expect(wasm.body.length).toBeLessThanOrEqual(200_000);
  expect(brotliDecompressSync(wasm.body).subarray(0, 4)).toEqual(Buffer.from('\0asm'));

  const policy = (await fetch(server.url)).headers.get('content-security-policy') ?? '';
  const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? '';
  expect(scripts).toContain("'self'");
  expect(scripts).toMatch(/'nonce-[^']{16,}'/);
  expect(scripts).toContain("'wasm-unsafe-eval'");
  expect(scripts).not.toMatch(/'unsafe-inline'|'unsafe-eval'|strict-dynamic|\*/);
  // Each answer has a nonce of its own.
  expect((await fetch(server.url)).headers.get('content-security-policy')).not.toBe(policy);
});

test('the list in the first HTML is the list after hydration', async ({ scratch, server, visit }) => {
  // Something finished, something unfinished, names that could break out of the HTML.
  const picked = [`<b>bold & "quoted" 'too' &lt;.txt`, 'مستند.pdf', '照片.jpg'].map((name, i) => writeRandomFile(scratch.path(name), 1000 + i, name));
  const first = await visit(server.url);
  await first.uploader.ready();
  await first.uploader.pick(picked);
  await first.uploader.settled(30_000);
  expect(server.published()).toHaveLength(3);
  const created = await fetch(`${server.url}/hoist/uploads`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sender: 'journey', files: [{ name: 'unfinished.iso', path: 'disks', size: 700 * MiB, lastModified: 1_700_000_000_000 }] }),
  });
  expect(await created.json()).toMatchObject({ answers: [{ answer: 'needed' }] });

  const { page, uploader } = await visit(server.url);
  await uploader.ready();
  await expect(uploader.rows).toHaveCount(4);
  const html = (await page.evaluate(async () => (await fetch(location.href)).text())) as string;
  const [before, after] = await page.evaluate((text) => {
    // What a person could notice: elements, attributes, text; not the comments between texts.
    const canonical = (node: Node): unknown => {
      if (node instanceof Text) return node.data;
      if (!(node instanceof Element)) return undefined;
      const attributes = [...node.attributes].map(({ name, value }) => `${name}=${value}`).sort();
      const children: unknown[] = [];
      for (const child of node.childNodes) {
        const one = canonical(child);
        if (one === undefined || one === '') continue;
        if (typeof one === 'string' && typeof children.at(-1) === 'string') children.push(`${children.pop()}${one}`);
        else children.push(one);
      }
      return [node.tagName, attributes, children];
    };
    const list = (from: Document): unknown => {
      const element = from.querySelector('.hoist-uploader__list');
      return element && canonical(element);
    };
    return [list(new DOMParser().parseFromString(text, 'text/html')), list(document)];
  }, html);
  expect(JSON.stringify(before)).toContain('unfinished.iso');
  expect(JSON.stringify(before)).toContain('照片.jpg');
  expect(after).toEqual(before);
});

test('files chosen before the page has come alive are not lost', async ({ scratch, server, browser }) => {
  const path = writeRandomFile(scratch.path('early.bin'), 2 * MiB, 'early');
  const context = await browser.newContext();
  const page = await context.newPage();
  const uploader = new Uploader(page);
  // The wasm comes only after the click.
  let release = (): void => undefined;
  const clicked = new Promise<void>((done) => (release = done));
  await page.route(/\.wasm$/, async (route) => {
    await clicked;
    await route.continue();
  });
  await page.goto(server.url, { waitUntil: 'commit' });
  const chooser = page.waitForEvent('filechooser');
  await uploader.button.click();
  await (await chooser).setFiles(path);
  expect(await uploader.root.getAttribute('data-hydrated')).toBeNull();
  release();
  await uploader.ready();
  await expect(uploader.row('early.bin')).toHaveAttribute('data-state', 'done');
  await expectEqualOnDisk(server, [path]);
  await context.close();
});
