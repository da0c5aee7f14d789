import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { freePort, until } from './server.js';

const program = process.env.NGINX ?? (existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx');

/** The server block that `docs/proxies.md` recommends, as it stands there. */
export function recipe(): string {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/proxies.md'), 'utf8');
  const found = /```nginx\n([\s\S]*?)```/.exec(page)?.[1];
  if (!found) throw new Error('docs/proxies.md has no nginx recipe');
  return found;
}

/** Fills in what differs from machine to machine: where it listens, and where the server is. No TLS. */
export function filledIn(block: string, port: number, server: number): string {
  const filled = block.replaceAll('listen 443 ssl;', `listen 127.0.0.1:${port};`).replaceAll('127.0.0.1:3000', `127.0.0.1:${server}`);
  if (!filled.includes(`listen 127.0.0.1:${port};`) || !filled.includes(`http://127.0.0.1:${server};`)) throw new Error('the recipe has changed its places');
  return filled;
}

/** What somebody writes who has not read the recipe. */
export const careless = `server {
  listen 443 ssl;
  location / {
    proxy_pass http://127.0.0.1:3000;
  }
}`;

/** A real nginx of this journey's own, without rights and in the foreground. */
export class Nginx {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly dir: string,
  ) {}

  static async start(dir: string, block: string, server: number): Promise<Nginx> {
    mkdirSync(dir, { recursive: true });
    const port = await freePort();
    const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(dir, name)};`);
    const config = join(dir, 'nginx.conf');
    writeFileSync(
      config,
      [
        'daemon off;',
        // As root its workers would be somebody who may not enter the journey's folder.
        ...(process.getuid?.() === 0 ? ['user root;'] : []),
        `pid ${join(dir, 'pid')};`,
        `error_log ${join(dir, 'error.log')} warn;`,
        'events {}',
        'http {',
        `access_log ${join(dir, 'access.log')};`,
        ...own,
        filledIn(block, port, server),
        '}',
      ].join('\n'),
    );
    const child = spawn(program, ['-e', join(dir, 'error.log'), '-p', dir, '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    await until('nginx listens', async () => {
      if (child.exitCode !== null) throw new Error(`nginx has ended with ${child.exitCode}: ${said}`);
      return new Promise<boolean>((done) => {
        const probe = connect(port, '127.0.0.1', () => (probe.destroy(), done(true)));
        probe.once('error', () => done(false));
      });
    });
    return new Nginx(port, child, dir);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Status of each pack that it has answered, in order. */
  packs(): number[] {
    return this.statuses(/"POST [^ "]*\/packs [^"]*" (\d+)/);
  }

  /** Status of each call and of each handshake of the page. */
  calls(): number[] {
    return this.statuses(/"(?:POST|GET) \/hoist\/[^"]*" (\d+)/);
  }

  private statuses(pattern: RegExp): number[] {
    const lines = readFileSync(join(this.dir, 'access.log'), 'utf8').split('\n');
    return lines.flatMap((line) => {
      const status = pattern.exec(line)?.[1];
      return status ? [Number(status)] : [];
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGTERM');
    await gone;
  }
}
