import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { filesBelow } from './files.js';

const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'target/release/hoist');

/** Another program that serves the uploader: how to start it, and where it puts finished files. */
export interface Embedder {
  program: string;
  /** A path that it answers once it runs. */
  ready: string;
  env: (data: string) => Record<string, string>;
  /** It runs in a folder of its own, where it makes `data`. */
  folder?: boolean;
}

/** `examples/embed`. */
export const gallery: Embedder = {
  program: join(root, 'target/release/gallery'),
  ready: '/',
  env: (data) => ({
    LEPTOS_OUTPUT_NAME: 'gallery',
    LEPTOS_SITE_ROOT: join(root, 'examples/embed/target/gallery'),
    LEPTOS_SITE_PKG_DIR: 'assets',
    LEPTOS_HASH_FILES: 'true',
    GALLERY_DATA: data,
  }),
};

/** `examples/islands`. */
export const islands: Embedder = {
  program: join(root, 'target/release/islands'),
  ready: '/',
  env: (data) => ({
    LEPTOS_OUTPUT_NAME: 'islands',
    LEPTOS_SITE_ROOT: join(root, 'examples/islands/target/islands'),
    LEPTOS_SITE_PKG_DIR: 'pkg',
    ISLANDS_DATA: data,
  }),
};

/** What the README's chapter "Embed it" makes; it knows no other folder than the one it runs in. */
export const readme: Embedder = {
  program: join(root, 'target/release/my-app'),
  ready: '/',
  folder: true,
  env: () => ({
    LEPTOS_OUTPUT_NAME: 'my-app',
    LEPTOS_SITE_ROOT: join(root, 'target/readme'),
    LEPTOS_SITE_PKG_DIR: 'pkg',
  }),
};

/** `examples/csr`: files, no program. */
export const csr = join(root, 'examples/csr/target/site');

/** A port on loopback that is free now. */
export async function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address && typeof address === 'object' ? resolvePort(address.port) : reject(new Error('no port'))));
    });
  });
}

/** Asks again until the answer is neither `undefined` nor `false`. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false> | T | undefined | false, withinMs = 60_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(20);
  }
}

/** The release build of the server, on a port and with a folder of its own. */
export class Server {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly data: string,
    readonly log: string,
    private readonly env: Record<string, string>,
    private readonly embedder?: Embedder,
  ) {}

  static async start(dir: string, env: Record<string, string> = {}, embedder?: Embedder, port?: number): Promise<Server> {
    const needed = embedder?.program ?? program;
    if (!existsSync(needed)) throw new Error(`there is no ${needed}: make build, scripts/embed`);
    mkdirSync(dir, { recursive: true });
    const server = new Server(port ?? (await freePort()), join(dir, 'data'), join(dir, 'server.log'), env, embedder);
    await server.restart();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where finished files lie. */
  get files(): string {
    return join(this.data, 'files');
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error('the server does not run');
    return this.child.pid;
  }

  /** Starts it (again) on the same port and folder, and waits until it answers. */
  async restart(): Promise<void> {
    const child = spawn(this.embedder?.program ?? program, [], {
      cwd: this.embedder?.folder ? dirname(this.data) : root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        LEPTOS_OUTPUT_NAME: 'hoist',
        LEPTOS_SITE_ROOT: 'target/site',
        LEPTOS_SITE_PKG_DIR: 'pkg',
        LEPTOS_ENV: 'PROD',
        LEPTOS_SITE_ADDR: `127.0.0.1:${this.port}`,
        HOIST_DATA: this.data,
        ...this.embedder?.env(this.data),
        ...this.env,
      },
    });
    this.child = child;
    child.stdout.on('data', (text: Buffer) => appendFileSync(this.log, text));
    child.stderr.on('data', (text: Buffer) => appendFileSync(this.log, text));
    await until('the server answers', async () => {
      if (child.exitCode !== null) throw new Error(`the server has ended with ${child.exitCode}:\n${this.logged()}`);
      return fetch(`${this.url}${this.embedder?.ready ?? '/healthz'}`).then((answer) => answer.ok, () => false);
    });
  }

  logged(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
  }

  /** `kill -9`, and waits until it is dead. */
  async kill(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  /** Bytes of packs that it has read since it started, by its own count. */
  async receivedBytes(): Promise<number> {
    const answer = await fetch(`${this.url}/healthz`);
    const { receivedBytes } = (await answer.json()) as { receivedBytes: unknown };
    if (typeof receivedBytes !== 'number') throw new Error('the server does not count received bytes');
    return receivedBytes;
  }

  /** Resident memory, in bytes. */
  residentBytes(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    if (!line) throw new Error('no VmRSS');
    return Number(line[1]) * 1024;
  }

  /** Relative paths of all finished files. */
  published(): string[] {
    return [...filesBelow(this.files).keys()].sort();
  }

  /** Bytes that finished files have together. */
  publishedBytes(): number {
    return [...filesBelow(this.files).values()].reduce((sum, path) => sum + statSync(path).size, 0);
  }
}
