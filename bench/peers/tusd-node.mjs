import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start } from '../lib/server.mjs';
import { packageVersion } from '../lib/machine.mjs';

export const version = () => packageVersion('@tus/server');
/** What it notes down beside each upload. */
export const isOwn = (path) => path.endsWith('.json');

export async function serve(folder) {
  const port = await freePort();
  const data = join(folder, 'data');
  mkdirSync(data);
  const server = await start(process.execPath, [join(import.meta.dirname, 'tusd-node-server.mjs'), String(port), data], { port });
  return { ...server, addr: `127.0.0.1:${port}`, stored: data };
}
