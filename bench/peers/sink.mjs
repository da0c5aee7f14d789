// Keeps nothing: the ceiling of whoever sends.

import { join } from 'node:path';
import { freePort, start } from '../lib/server.mjs';

export const version = () => undefined;

export async function serve() {
  const port = await freePort();
  const server = await start(join(import.meta.dirname, '../../target/release/sink'), [`127.0.0.1:${port}`], { port });
  return { ...server, addr: `127.0.0.1:${port}` };
}
