import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start } from '../lib/server.mjs';
import { versionOf } from '../lib/machine.mjs';

const program = join(import.meta.dirname, '../../.tools/bench/bin/rustus');

export const version = () => versionOf(program);

export async function serve(folder) {
  const port = await freePort();
  const [data, info] = ['data', 'info'].map((name) => join(folder, name));
  for (const made of [data, info]) mkdirSync(made);
  const args = ['--host', '127.0.0.1', '--port', String(port), '--url', '/files', '--data-dir', data, '--info-dir', info];
  // Its own limit for a body is smaller than what Uppy sends at once.
  const server = await start(program, [...args, '--log-level', 'ERROR', '--max-body-size', String(8 * 2 ** 30)], { port });
  return { ...server, addr: `127.0.0.1:${port}`, stored: data };
}
