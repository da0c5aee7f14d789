// Chromium, spoken to by its own protocol over a pipe. No test framework: those listen to the network, and a browser
// that must tell of each body that a page sends is measured telling (40 s for 400 MB in buffers, instead of 2).

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Nothing but what the pages do: no updates, no protocol that only one server of them would speak. */
const FLAGS = [
  '--headless=new',
  '--remote-debugging-pipe',
  '--no-startup-window',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--disable-dev-shm-usage',
  '--window-size=1280,800',
];

/**
 * A browser of its own for each run: none inherits another's caches, processes or heap. `flags` are added;
 * `inside`: words that start it in a network namespace (`line.mjs`).
 */
export async function launch({ flags = [], inside = [] } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'hoist-bench-'));
  const program = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const [first, ...words] = [...inside, program, ...FLAGS, ...flags, `--user-data-dir=${profile}`];
  const child = spawn(first, words, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const [, , , to, from] = child.stdio;
  const waiting = new Map();
  const listeners = [];
  const ended = new Promise((done) => child.once('close', done));
  const isGone = ended.then(() => {
    for (const { fail } of waiting.values()) fail(new Error('the browser has ended'));
    waiting.clear();
  });
  let rest = [];
  from.on('data', (piece) => {
    let start = 0;
    for (let end = piece.indexOf(0); end >= 0; end = piece.indexOf(0, start)) {
      const message = JSON.parse(Buffer.concat([...rest, piece.subarray(start, end)]).toString());
      [rest, start] = [[], end + 1];
      hear(message);
    }
    rest.push(piece.subarray(start));
  });
  function hear({ id, result, error, method, params, sessionId }) {
    if (id === undefined) return listeners.filter((one) => one.method === method && one.sessionId === sessionId).forEach((one) => one.heard(params));
    const { done, fail } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error) fail?.(new Error(error.message));
    else done?.(result);
  }
  let last = 0;
  const send = (method, params = {}, sessionId) =>
    new Promise((done, fail) => {
      last += 1;
      waiting.set(last, { done, fail });
      to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
  return {
    version: async () => (await send('Browser.getVersion')).product,
    /** A page that shows nothing yet. */
    async tab() {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
      return {
        send: (method, params) => send(method, params, sessionId),
        on: (method, heard) => listeners.push({ method, sessionId, heard }),
        /** Calls a function in the page, and waits for what it promises. */
        async evaluate(work) {
          const expression = `(${work})()`;
          const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
          return result.value;
        },
      };
    },
    async close() {
      send('Browser.close').catch(() => undefined);
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await isGone;
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
