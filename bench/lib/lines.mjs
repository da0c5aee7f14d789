// Jobs over a slow and long line: Chromium, the line, nginx with TLS, Hoist.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { peers } from '../peers/all.mjs';
import { handOver, open } from './browser.mjs';
import { launch } from './cdp.mjs';
import { watched } from './load.mjs';
import { makeLine, payloadOf } from './line.mjs';
import { fixed, plain } from './pages.mjs';
import { compare } from './source.mjs';
import { serveTls } from './tls.mjs';
import { uploaders } from './uploaders.mjs';

/** There and back. */
const MS = 50;
const MIB = 1 << 20;
/** Requests at once and the size of each, MiB. None is larger than the 32 MiB of the server's limit. */
const SWEEP = [
  [1, 8],
  [1, 32],
  [2, 16],
  [4, 1],
  [4, 4],
  [4, 16],
  [6, 1],
  [6, 8],
];

const execute = promisify(execFile);

/** Makes the line and all behind it, and lets `work` have it; `host` is where the browser's side finds it. */
async function over(mbit, http2, folder, work) {
  const line = makeLine({ mbit, ms: MS });
  const running = [line];
  try {
    const hoist = await peers.hoist.serve(folder, { inside: line.far });
    running.unshift({ remove: hoist.stop });
    const tls = await serveTls(folder, { line, hoist: hoist.addr.split(':')[1], http2 });
    running.unshift({ remove: tls.stop });
    const result = await work({ line, hoist, tls, host: await line.connect(tls.port) });
    return { ...result, delayBy: line.delayBy };
  } finally {
    for (const one of running) await one.remove();
  }
}

/** `page(url)` as in `uploaders.mjs`; `stored({ hoist, tls })` is where its file lies. */
const byBrowser = (mbit, http2, { page, input, stored }) => ({ folder, source }) =>
  over(mbit, http2, folder, async ({ line, hoist, tls, host }) => {
    const browser = await launch({ inside: line.near, flags: ['--ignore-certificate-errors'] });
    let result;
    try {
      const opened = await open(browser, page(`https://${host}`));
      result = await watched(hoist, () => handOver(opened, input, source.paths));
      const spoken = await opened.tab.evaluate(() => performance.getEntriesByType('resource').map(({ nextHopProtocol }) => nextHopProtocol));
      const wanted = http2 ? 'h2' : 'http/1.1';
      if (spoken.some((name) => name && name !== wanted)) throw new Error(`the page spoke ${[...new Set(spoken)]}, not ${wanted}`);
    } finally {
      await browser.close();
    }
    if (result.late) throw new Error(`more than ${result.late / 1000} s`);
    compare(source, stored({ hoist, tls }));
    return { seconds: result.ms / 1000, ...result };
  });

/** What the line carries in truth: one PUT of curl's, without its greeting, which a page has behind it, too. */
const byCurl = (mbit) => ({ folder, source }) =>
  over(mbit, false, folder, async ({ line, tls, host }) => {
    const [program, ...words] = line.near;
    const how = ['--silent', '--show-error', '--fail', '--insecure', '--http1.1', '--header', 'Expect:', '--output', '/dev/null'];
    const told = ['--write-out', '%{time_total} %{time_pretransfer}', '--upload-file', source.paths[0], `https://${host}/put/file`];
    const { stdout } = await execute(program, [...words, 'curl', ...how, ...told]);
    const [total, greeting] = stdout.split(' ').map(Number);
    compare(source, tls.stored);
    return { seconds: total - greeting };
  });

const ours = { page: uploaders.hoist.page, input: uploaders.hoist.input, stored: ({ hoist }) => hoist.stored };
const xhr = {
  page: (url) => ({ url: `${url}/bench.html`, document: plain(), settings: { how: 'files', target: '/put/' } }),
  input: 'input',
  stored: ({ tls }) => tls.stored,
};
const fixedly = ([atOnce, mib]) => ({
  page: (url) => ({ url: `${url}/bench.html`, document: fixed(), settings: { atOnce, pack: mib * MIB } }),
  input: 'input',
  stored: ({ hoist }) => hoist.stored,
});

const nameOf = (http2, [atOnce, mib]) => `fixed-${http2 ? 'h2' : 'h1'}-${atOnce}x${mib}`;

function contestants(mbit) {
  const all = { line: { title: 'curl, one PUT, HTTP/1.1', peer: 'nginx', run: byCurl(mbit) } };
  for (const http2 of [false, true]) {
    const [key, words] = http2 ? ['h2', 'HTTP/2'] : ['h1', 'HTTP/1.1'];
    all[`hoist-${key}`] = { title: `Hoist, ${words}`, peer: 'hoist', run: byBrowser(mbit, http2, ours) };
    all[`xhr-${key}`] = { title: `plain XHR PUT, ${words}`, peer: 'nginx', run: byBrowser(mbit, http2, xhr) };
    for (const pair of SWEEP) {
      const title = `fixed: ${pair[0]} × ${pair[1]} MiB, ${words}`;
      all[nameOf(http2, pair)] = { title, peer: 'hoist', isSlow: true, isHidden: true, run: byBrowser(mbit, http2, fixedly(pair)) };
    }
  }
  return all;
}

function goals({ value, ratio }) {
  const best = (http2) => Math.max(...SWEEP.map((pair) => value('tmpfs', nameOf(http2, pair), 'Mbit/s')).filter(Number.isFinite));
  const each = (http2) => {
    const [key, words] = http2 ? ['hoist-h2', 'HTTP/2'] : ['hoist-h1', 'HTTP/1.1'];
    return [
      { goal: `${words}: ≥ 0.9 × the line`, is: ratio('tmpfs', key, 'line'), least: 0.9 },
      { goal: `${words}: ≥ 0.9 × the best fixed setting`, is: value('tmpfs', key, 'Mbit/s') / best(http2), least: 0.9 },
    ];
  };
  return [...each(false), ...each(true), { goal: 'HTTP/2 ≥ 0.9 × HTTP/1.1', is: ratio('tmpfs', 'hoist-h2', 'hoist-h1'), least: 0.9 }];
}

const notes = (mbit) => ({ results }) => {
  const by = Object.values(results.tmpfs).flat().find(({ delayBy }) => delayBy)?.delayBy;
  const why = by === 'netem' ? '' : ', because this kernel has no netem: so bytes travel late, but TCP itself sees a short line and is at full speed at once';
  return `Rate by \`tc tbf\` between two network namespaces; the 50 ms by ${by}${why}. Of ${mbit} Mbit/s the heads of Ethernet, IP,
TCP and TLS leave ${payloadOf(mbit).toFixed(1)} for a file. The fixed settings are a page that sends packs without checksums and learns
nothing, each measured once.`;
};

/** A job on a line of `mbit` Mbit/s with a file of `size` bytes, which should take it some seconds. */
export const lines = ({ mbit, size }) => ({
  title: `Chromium: a line of ${mbit.toLocaleString('en').replace(',', ' ')} Mbit/s and ${MS} ms, through TLS`,
  places: ['tmpfs'],
  source: [1, size],
  measure: 'line',
  columns: {
    'Mbit/s': { of: ({ seconds }) => (size * 8) / 1e6 / seconds, isSpeed: true },
    '% of what the rate leaves': { of: ({ seconds }) => ((size * 8) / 1e4 / seconds) / payloadOf(mbit) },
    s: { of: ({ seconds }) => seconds },
  },
  contestants: contestants(mbit),
  goals,
  notes: notes(mbit),
});
