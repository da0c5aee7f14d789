import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nameOf } from '../lib/source.mjs';
import { freePort, start } from '../lib/server.mjs';
import { versionOf } from '../lib/machine.mjs';

const program = join(import.meta.dirname, '../../.tools/bench/copyparty/bin/copyparty');

export const version = () => versionOf(join(program, '../python'), ['-c', 'from copyparty.__version__ import S_VERSION; print(S_VERSION)']);
/** Its index and history of a folder. */
export const isOwn = (path) => path.split('/').includes('.hist');

export async function serve(folder, { files = 0 } = {}) {
  const port = await freePort();
  const data = join(folder, 'data');
  mkdirSync(data);
  // It makes no folders for what is put.
  for (let number = 0; number < files; number += 1000) mkdirSync(join(data, nameOf(number), '..'));
  // `--wram`: without it, it writes nothing to a folder in memory.
  const server = await start(program, ['-q', '--wram', '-i', '127.0.0.1', '-p', String(port), '-v', `${data}::A`], { port, env: { HOME: folder } });
  return { ...server, addr: `127.0.0.1:${port}`, stored: data };
}
