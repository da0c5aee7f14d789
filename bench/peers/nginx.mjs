// HTTP PUT of nginx's dav module, with the settings that made it fastest here: a worker per core, and a
// buffer for the body that no more than one write is needed for.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { freePort, start } from '../lib/server.mjs';
import { versionOf } from '../lib/machine.mjs';

export const version = () => versionOf('nginx', ['-v']);

export async function serve(folder, { buffer = '16m' } = {}) {
  const port = await freePort();
  for (const name of ['files', 'tmp']) mkdirSync(join(folder, name));
  const settings = join(folder, 'nginx.conf');
  writeFileSync(
    settings,
    `daemon off; user root; worker_processes ${cpus().length}; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; client_max_body_size 0; client_body_buffer_size ${buffer}; client_body_temp_path ${folder}/tmp; tcp_nodelay on;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port} backlog=4096; root ${folder}/files;
    location / { dav_methods PUT; create_full_put_path on; dav_access user:rw group:r all:r; }
  }
}
`,
  );
  const server = await start('nginx', ['-c', settings, '-p', folder], { port });
  return { ...server, addr: `127.0.0.1:${port}`, stored: join(folder, 'files') };
}
