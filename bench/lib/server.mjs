// A server that is measured: started for one run, watched, and ended by its id.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Ticks of `/proc/PID/stat` in a second; Linux has no other value on the machines that we know. */
const TICKS = 100;
const START_MS = 30_000;

/** A port of loopback that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

const isListening = (port, host) =>
  new Promise((done) => {
    const socket = connect(port, host);
    socket.once('connect', () => (socket.destroy(), done(true)));
    socket.once('error', () => done(false));
  });

/** Whether a process, or another in its network namespace, listens on a port: seen from outside, where nobody can connect to it. */
function isListeningInside(pid, port) {
  const wanted = new RegExp(`^ *\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F:]+ 0A `, 'm');
  try {
    return wanted.test(readFileSync(`/proc/${pid}/net/tcp`, 'utf8'));
  } catch {
    return false; // it has ended
  }
}

/** A thousand connections need more descriptors than a shell gives: arguments of `sh` that raise the limit first. */
export const roomy = (command, args) => ['-c', 'ulimit -Sn "$(ulimit -Hn)"; exec "$0" "$@"', command, ...args.map(String)];

/**
 * Starts a program and waits until `port` answers. What it prints is kept for the case that it does not.
 * `inside`: words that start it in a network namespace (`line.mjs`).
 */
export async function start(command, args, { port, host = '127.0.0.1', env = {}, cwd, inside } = {}) {
  const [first, ...words] = [...(inside ?? []), command, ...args];
  const child = spawn('sh', roomy(first, words), {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said = (said + text).slice(-4000)));
  const ended = new Promise((done) => child.once('exit', done));
  const spawned = new Promise((_, fail) => child.once('error', fail));
  const until = Date.now() + START_MS;
  const isUp = () => (inside ? isListeningInside(child.pid, port) : isListening(port, host));
  while (!(await Promise.race([isUp(), spawned]))) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`${command} does not listen on ${port}:\n${said}`);
    }
    await pause(10);
  }
  return {
    pid: child.pid,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = await Promise.race([ended, pause(10_000, 'late', { ref: false })]);
      if (late === 'late') child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A process and all below it. */
function family(pid) {
  const own = [pid];
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    for (const child of children.split(' ').filter(Boolean)) own.push(...family(Number(child)));
  } catch {
    // It has ended.
  }
  return own;
}

/** Seconds of CPU so far, resident bytes now and at their peak: of a process and all below it. */
export function usage(pid) {
  const sum = { cpu: 0, resident: 0, peak: 0 };
  for (const one of family(pid)) {
    try {
      const stat = readFileSync(`/proc/${one}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      sum.cpu += (Number(fields[11]) + Number(fields[12])) / TICKS;
      const status = readFileSync(`/proc/${one}/status`, 'utf8');
      const bytes = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0) * 1024;
      sum.resident += bytes('VmRSS');
      sum.peak += bytes('VmHWM');
    } catch {
      // It has ended.
    }
  }
  return sum;
}
