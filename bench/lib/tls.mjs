// nginx with TLS in front of Hoist, as `docs/proxies.md` sets it up; beside it, files that are put. It speaks
// HTTP/1.1 or HTTP/2, as asked.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { freePort, start } from './server.mjs';

/**
 * A request that is passed on as it comes is read into a buffer of this size, and with HTTP/2 the buffer is
 * the window, too: no more of a request is ever under way. The default of 16 KiB (64 KiB with
 * `http2_body_preread_size`) would mean 64 KiB in 50 ms, 10 Mbit/s for a request, on whatever line. This fills
 * 1 000 Mbit/s with a single one.
 */
const BUFFER = '8m';

/** A key and a certificate that nobody vouches for, made for this run. */
function certificate(folder) {
  const made = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', made.key];
  const about = ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', made.cert, ...about], { stdio: 'pipe' });
  return made;
}

/** `hoist`: the port behind it. What is put to `/put/` lies in `stored`. */
export async function serveTls(folder, { line, hoist, http2 }) {
  const own = join(folder, 'tls');
  for (const name of ['', 'files', 'tmp']) mkdirSync(join(own, name));
  const { key, cert } = certificate(own);
  const port = await freePort();
  const settings = join(own, 'nginx.conf');
  writeFileSync(
    settings,
    `daemon off; user root; worker_processes ${cpus().length}; pid ${own}/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; client_max_body_size 0; client_body_buffer_size ${BUFFER}; client_body_temp_path ${own}/tmp; tcp_nodelay on;
  server {
    listen ${line.farAddr}:${port} ssl${http2 ? ' http2' : ''};
    ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;
    location / {
      proxy_pass http://127.0.0.1:${hoist};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-User "";
    }
    location /put/ { root ${own}/files; dav_methods PUT; create_full_put_path on; }
  }
}
`,
  );
  const server = await start('nginx', ['-c', settings, '-p', own], { port, inside: line.far });
  return { ...server, port, stored: join(own, 'files') };
}
