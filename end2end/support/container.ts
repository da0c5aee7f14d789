import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, until } from './server.js';

const run = promisify(execFile);
const image = process.env.HOIST_IMAGE ?? 'hoist';
const runtime = process.env.HOIST_RUNTIME ?? '/usr/sbin/runc';

/** The image, run as its user would run it: nothing set but `--open`, and a volume. */
export class Container {
  private constructor(
    readonly port: number,
    readonly data: string,
    private readonly name: string,
  ) {}

  static async start(dir: string): Promise<Container> {
    const data = join(dir, 'data');
    mkdirSync(data, { recursive: true });
    // The program is nobody in particular. Who is not root lets everybody in instead.
    if (process.getuid?.() === 0) chownSync(data, 1000, 1000);
    else chmodSync(data, 0o777);
    const port = await freePort();
    const container = new Container(port, data, `hoist-journey-${process.pid}-${port}`);
    await container.restart();
    return container;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where finished files lie: with `--open` each browser has its own, and a journey has one browser. */
  get files(): string {
    const visitors = readdirSync(join(this.data, 'visitors'));
    if (visitors.length !== 1) throw new Error(`${visitors.length} visitors have files, not one`);
    return join(this.data, 'visitors', visitors[0]!);
  }

  /** Starts it (again) on the same port and volume, and waits until it answers. */
  async restart(): Promise<void> {
    await this.remove();
    await run('podman', [
      ...['--runtime', runtime, 'run', '--detach', '--name', this.name],
      ...['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000', '--network', 'host', '--no-healthcheck', '--read-only'],
      // The port alone, because the container has the network of the machine.
      ...['--env', `HOIST_ADDR=0.0.0.0:${this.port}`, '--volume', `${this.data}:/data`, image, '--open'],
    ]);
    await until('the container answers', async () => {
      if (!(await this.inspect('{{.State.Running}}')).includes('true')) throw new Error(`the container has ended:\n${await this.logged()}`);
      return fetch(`${this.url}/healthz`).then((answer) => answer.ok, () => false);
    });
  }

  /** Says SIGTERM as `podman stop` does, and waits for the end; its exit status, and how long that took. */
  async terminate(): Promise<{ status: number; took: number }> {
    const ended = this.ended();
    const begun = performance.now();
    await run('podman', ['kill', '--signal', 'TERM', this.name]);
    return { status: await ended, took: performance.now() - begun };
  }

  /** `kill -9`, and waits until it is dead. */
  async kill(): Promise<void> {
    await run('podman', ['kill', '--signal', 'KILL', this.name]);
    await this.ended();
  }

  /** Bytes of packs that it has read since it started, by its own count. */
  async receivedBytes(): Promise<number> {
    const { receivedBytes } = (await (await fetch(`${this.url}/healthz`)).json()) as { receivedBytes: number };
    return receivedBytes;
  }

  async inspect(format: string): Promise<string> {
    return (await run('podman', ['inspect', '--format', format, this.name])).stdout;
  }

  async logged(): Promise<string> {
    const { stdout, stderr } = await run('podman', ['logs', this.name]);
    return stdout + stderr;
  }

  /** Takes it away, running or not; the volume stays. */
  async remove(): Promise<void> {
    await run('podman', ['rm', '--force', '--ignore', '--time', '0', this.name]);
  }

  private async ended(): Promise<number> {
    return Number((await run('podman', ['wait', '--interval', '20ms', this.name])).stdout.trim());
  }
}
