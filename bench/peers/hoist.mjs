import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start } from '../lib/server.mjs';
import { versionOf } from '../lib/machine.mjs';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'target/release/hoist');

export const version = () => versionOf(program);

export async function serve(folder, { durability = 'process', data = join(folder, 'data'), inside } = {}) {
  const port = await freePort();
  mkdirSync(data, { recursive: true });
  const server = await start(program, ['--addr', `127.0.0.1:${port}`, '--data', data, '--durability', durability, '--log', 'error'], {
    port,
    inside,
    env: { LEPTOS_OUTPUT_NAME: 'hoist', LEPTOS_SITE_ROOT: join(root, 'target/site'), LEPTOS_SITE_PKG_DIR: 'pkg' },
  });
  return { ...server, addr: `127.0.0.1:${port}`, stored: join(data, 'files') };
}
