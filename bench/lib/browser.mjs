// A headless Chromium, and one page in it that is handed files and watched until it has sent them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const folder = join(import.meta.dirname, '../pages');
const script = (name) => readFileSync(join(folder, name), 'utf8');

/** Nothing but what the pages do: no updates, no protocol that only one server of them would speak. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Longest that a run may take; beyond it stands as *more than that*. */
export const LIMIT_MS = 300_000;
/** How often the heap is looked at. */
const SAMPLE_MS = 50;

/** A browser of its own for each run: none inherits another's caches, processes or heap. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });

/**
 * Opens a contestant's page and waits until it takes files.
 *
 * `page.url` is asked for; `page.document`, if given, is answered in the server's stead, so that a page of
 * ours has the same origin as the server it sends to and no request needs leave first. `page.attach` is
 * a script of `bench/pages` that watches a page which is not ours, `page.settings` what `bench` has.
 * `countsBytes`: what comes over the line is counted, heads and all.
 */
export async function open(browser, page, { countsBytes = false } = {}) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  const console_ = [];
  tab.on('pageerror', (error) => console_.push(String(error)));
  await tab.addInitScript(script('watch.js'));
  if (page.settings) await tab.addInitScript((settings) => Object.assign(globalThis.bench, settings), page.settings);
  if (page.attach) await tab.addInitScript(script(page.attach));
  const client = await context.newCDPSession(tab);
  const line = { bytes: 0, requests: 0 };
  if (countsBytes) {
    client.on('Network.loadingFinished', ({ encodedDataLength }) => ((line.bytes += encodedDataLength), (line.requests += 1)));
    await client.send('Network.enable');
  }
  if (page.document) {
    // Whatever else the page asks for goes to the server. The route ends before anything is measured.
    await tab.route(page.url, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: page.document }));
  }
  await tab.goto(page.url);
  await within(30_000, tab.evaluate(() => globalThis.bench.whenReady()), () => `the page is not ready: ${console_.join('; ')}`);
  if (page.document) await tab.unrouteAll();
  return { tab, client, context, line, errors: console_ };
}

/**
 * Hands files to an open page and waits for its end. `heap`: sample the heap; `probe`: see when it reacts;
 * `until`: what to wait for in its stead (a function in the page).
 */
export async function handOver({ tab, client, errors }, input, paths, { heap = false, probe = false, until, limitMs = LIMIT_MS } = {}) {
  await client.send('HeapProfiler.collectGarbage');
  const sampler = heap ? sampleHeap(client) : undefined;
  if (probe) await tab.evaluate(() => globalThis.bench.probe());
  const { result } = await client.send('Runtime.evaluate', { expression: `document.querySelector(${JSON.stringify(input)})` });
  if (!result.objectId) throw new Error(`the page has no ${input}`);
  // As the file dialog does it; the browser itself sends `input` and `change`.
  const handed = client.send('DOM.setFileInputFiles', { objectId: result.objectId, files: paths });
  const end = handed.then(() => (until ? tab.evaluate(until) : tab.evaluate(() => globalThis.bench.whenEnded())));
  const isLate = (await Promise.race([end, pause(limitMs, 'late', { ref: false })])) === 'late';
  if (isLate) {
    sampler?.stop();
    end.catch(() => undefined);
    return { late: limitMs };
  }
  const heapPeak = await sampler?.stop();
  // Entries of long tasks come a little after the task.
  await tab.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  const seen = await tab.evaluate(() => globalThis.bench);
  if (seen.failed) throw new Error(`${seen.failed}${errors.length ? ` (${errors.join('; ')})` : ''}`);
  if (seen.count !== paths.length) throw new Error(`handed over ${paths.length} files, the page got ${seen.count}`);
  return { ms: seen.ended - seen.handed, ...tasksOf(seen), gaps: seen.gaps, handed: seen.handed, ...heapPeak };
}

/**
 * The longest task, apart from the one in which the browser hands the list over: most of that is the
 * browser's own, which a page that does nothing shows.
 */
function tasksOf({ tasks, handed, ended }) {
  const during = tasks.filter(({ start, duration }) => start + duration >= handed && start <= ended);
  const isHandOver = ({ start, duration }) => start <= handed && handed <= start + duration;
  const longest = (list) => list.reduce((most, { duration }) => Math.max(most, duration), 0);
  return {
    handOverMs: longest(during.filter(isHandOver)),
    longestTaskMs: longest(during.filter((task) => !isHandOver(task))),
    longTasks: during.length,
  };
}

/**
 * Peaks above the start, in bytes: V8's heap by itself, and with what it holds outside (buffers, wasm
 * memory, the DOM). Garbage that nobody has collected yet counts, as it does for the machine.
 */
function sampleHeap(client) {
  let isRunning = true;
  let first;
  const peak = { heapBytes: 0, memoryBytes: 0 };
  const look = async () => {
    const usage = await client.send('Runtime.getHeapUsage');
    const heap = usage.usedSize;
    const memory = heap + (usage.embedderHeapUsedSize ?? 0) + (usage.backingStorageSize ?? 0);
    first ??= { heap, memory };
    peak.heapBytes = Math.max(peak.heapBytes, heap - first.heap);
    peak.memoryBytes = Math.max(peak.memoryBytes, memory - first.memory);
  };
  const running = (async () => {
    while (isRunning) {
      await look();
      await pause(SAMPLE_MS);
    }
  })().catch(() => undefined); // the page has gone
  return {
    stop: async () => {
      isRunning = false;
      await running;
      return peak;
    },
  };
}

async function within(ms, promise, why) {
  if ((await Promise.race([promise, pause(ms, 'late', { ref: false })])) === 'late') throw new Error(why());
}
