// The pages of `bench/pages`, each made into one document.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../pages');
const frame = (body, style = '', script = '') =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>bench</title><style>${style}</style></head>
<body>${body}<script>${script.replaceAll('</script', '<\\/script')}</script></body></html>`;

/** An input and a script without any library. */
const scripted = (name) => () => frame('<input type="file" multiple>', '', `{${readFileSync(join(folder, name), 'utf8')}}`);
/** What it does is in `settings.how`. */
export const plain = scripted('plain.js');
/** Packs of a fixed size for Hoist. */
export const fixed = scripted('fixed.js');

const bundled = new Map();
/** A page of a library from npm: script and style as a site would ship them, in the document itself. */
export async function bundle(name) {
  if (!bundled.has(name)) {
    // Only here: whoever only reads results need not have it.
    const { build } = await import('esbuild');
    const { outputFiles } = await build({
      entryPoints: [join(folder, `${name}.js`)],
      outdir: '/',
      bundle: true,
      minify: true,
      write: false,
      format: 'iife',
      target: 'chrome120',
      logLevel: 'error',
      loader: { '.svg': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl' },
    });
    const text = (end) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
    bundled.set(name, { script: text('.js'), style: text('.css') });
  }
  const { script, style } = bundled.get(name);
  return frame(name === 'filepond' ? '<input type="file" id="app" multiple>' : '<div id="app"></div>', style, script);
}
