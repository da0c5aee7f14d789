// Files are added and not sent: how long until the page reacts again. The line is off, so that pages which send at
// once do not.

import { handOver } from '../lib/browser.mjs';
import { MB, visit } from '../lib/visit.mjs';
import { uploaders } from '../lib/uploaders.mjs';

const FILES = 10_000;
const MANY = 100_000;
/** A peer that takes longer stands as *more than that*. */
const LIMIT_MS = 120_000;
/** How long a page must have reacted; as in `isQuiet`, which cannot see it. */
const QUIET_MS = 500;

/** In the page: all are listed, and it has reacted for half a second. */
function isQuiet() {
  return new Promise((done) => {
    let since = performance.now();
    let seen = 0;
    const look = () => {
      const now = performance.now();
      if (bench.gaps.length > seen || (bench.listed && bench.listed() < bench.count)) since = now;
      seen = bench.gaps.length;
      if (now - since < 500) return setTimeout(look, 20);
      bench.ended = now;
      done();
    };
    look();
  });
}

const run = (uploader, files) => async ({ folder, source }) => {
  const paths = source.paths.slice(0, files);
  const work = async (page) => {
    await page.tab.send('Network.enable');
    await page.tab.send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    const result = await handOver(page, uploader.input, paths, { heap: true, probe: true, until: isQuiet, limitMs: LIMIT_MS });
    if (result.late) throw new Error(`more than ${result.late / 1000} s`);
    const ends = result.gaps.map(({ start, duration }) => start + duration - result.handed);
    return { responsive: Math.max(0, ...ends), ...result, gaps: undefined };
  };
  return visit(uploader, folder, work, { auto: false });
};

const contestant = (name, files = FILES, more = '') => {
  const { title, peer } = uploaders[name];
  return { title: title.replace(/, `process`| →.*/, '') + more, peer, isSlow: !['hoist', 'empty'].includes(name), run: run(uploaders[name], files) };
};

export default {
  title: 'Chromium: 10 000 files added, not sent',
  places: ['tmpfs'],
  source: [MANY, 1],
  measure: 'empty',
  columns: {
    'responsive after, s': { of: ({ responsive }) => responsive / 1000 },
    'all listed after, s': { of: ({ ms }) => (ms - QUIET_MS) / 1000 },
    'JS heap peak, MB': { of: ({ heapBytes }) => heapBytes / MB },
    'with buffers and DOM, MB': { of: ({ memoryBytes }) => memoryBytes / MB },
  },
  contestants: {
    hoist: contestant('hoist'),
    empty: contestant('empty'),
    uppy: contestant('uppy-rustus'),
    copyparty: contestant('copyparty'),
    filepond: contestant('filepond'),
    'hoist-100000': contestant('hoist', MANY, ', 100 000 files'),
    'empty-100000': contestant('empty', MANY, ', 100 000 files'),
  },
  goals: ({ value }) => {
    const after = (name) => value('tmpfs', name, 'responsive after, s');
    return [
      { goal: 'responsive within 0.1 s of the empty page, s', is: after('hoist') - after('empty'), most: 0.1 },
      // Not beyond the empty page: with so many, that itself can block for longer.
      { goal: '100 000 files: responsive after at most 12 times as long as with 10 000', is: after('hoist-100000') / after('hoist'), most: 12 },
    ];
  },
};
