// A headless Chromium, and one page in it that is handed files and watched until it has sent them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const folder = join(import.meta.dirname, '../pages');
const script = (name) => readFileSync(join(folder, name), 'utf8');

/** Longest that a run may take; beyond it stands as *more than that*. */
export const LIMIT_MS = 300_000;
/** How often the heap is looked at. */
const SAMPLE_MS = 50;

/**
 * Opens a contestant's page and waits until it takes files.
 *
 * `page.url` is asked for; `page.document`, if given, is answered in the server's stead, so that a page of
 * ours has the same origin as the server it sends to and no request needs leave first. `page.attach` is
 * a script of `bench/pages` that watches a page which is not ours, `page.settings` what `bench` has.
 * `countsBytes`: what comes over the line is counted, heads and all.
 */
export async function open(browser, page, { countsBytes = false } = {}) {
  const tab = await browser.tab();
  const atStart = (source) => tab.send('Page.addScriptToEvaluateOnNewDocument', { source });
  await tab.send('Page.enable');
  await atStart(script('watch.js'));
  if (page.settings) await atStart(`Object.assign(globalThis.bench, ${JSON.stringify(page.settings)});`);
  if (page.attach) await atStart(script(page.attach));
  const line = { bytes: 0, requests: 0 };
  if (countsBytes) {
    tab.on('Network.loadingFinished', ({ encodedDataLength }) => ((line.bytes += encodedDataLength), (line.requests += 1)));
    await tab.send('Network.enable');
  }
  if (page.document) {
    // Whatever else the page asks for goes to the server. This ends before anything is measured.
    tab.on('Fetch.requestPaused', ({ requestId }) => tab.send('Fetch.fulfillRequest', { requestId, responseCode: 200, ...answer(page.document) }));
    await tab.send('Fetch.enable', { patterns: [{ urlPattern: page.url }] });
  }
  const isLoaded = new Promise((done) => tab.on('Page.loadEventFired', done));
  await tab.send('Page.navigate', { url: page.url });
  await within(30_000, isLoaded, () => 'the page does not load');
  const ready = tab.evaluate(() => globalThis.bench.whenReady());
  await within(30_000, ready, () => 'the page is not ready');
  if (page.document) await tab.send('Fetch.disable');
  return { tab, line };
}

const answer = (document) => ({
  responseHeaders: [{ name: 'content-type', value: 'text/html; charset=utf-8' }],
  body: Buffer.from(document).toString('base64'),
});

/**
 * Hands files to an open page and waits for its end. `heap`: sample the heap; `probe`: see when it reacts;
 * `until`: what to wait for in its stead (a function in the page).
 */
export async function handOver({ tab }, input, paths, { heap = false, probe = false, until, limitMs = LIMIT_MS } = {}) {
  await tab.send('HeapProfiler.collectGarbage');
  const sampler = heap ? sampleHeap(tab) : undefined;
  if (probe) await tab.evaluate(() => globalThis.bench.probe());
  const { result } = await tab.send('Runtime.evaluate', { expression: `document.querySelector(${JSON.stringify(input)})` });
  if (!result.objectId) throw new Error(`the page has no ${input}`);
  // As the file dialog does it; the browser itself sends `input` and `change`.
  const handed = tab.send('DOM.setFileInputFiles', { objectId: result.objectId, files: paths });
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
  if (seen.failed) throw new Error([seen.failed, ...seen.errors].join('; '));
  if (seen.count !== paths.length) throw new Error(`handed over ${paths.length} files, the page got ${seen.count}`);
  return { ms: seen.ended - seen.handed, ...tasksOf(seen), gaps: seen.gaps, handed: seen.handed, ...heapPeak };
}

/** Start and length of a long task are told in whole milliseconds. */
const ROUNDING_MS = 1;

/**
 * The longest task, apart from the one in which the browser hands the list over: most of that is the
 * browser's own, which a page that does nothing shows.
 */
function tasksOf({ tasks, handed, ended }) {
  const during = tasks.filter(({ start, duration }) => start + duration + ROUNDING_MS >= handed && start <= ended);
  const isHandOver = ({ start, duration }) => start <= handed && handed <= start + duration + ROUNDING_MS;
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
function sampleHeap(tab) {
  let isRunning = true;
  let first;
  const peak = { heapBytes: 0, memoryBytes: 0 };
  const look = async () => {
    const usage = await tab.send('Runtime.getHeapUsage');
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
