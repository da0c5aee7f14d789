// Jobs in which a page in Chromium sends files: who takes part, and what of it is told.

import { peers } from '../peers/all.mjs';
import { handOver, open } from './browser.mjs';
import { launch } from './cdp.mjs';
import { watched } from './load.mjs';
import { compare } from './source.mjs';
import { uploaders } from './uploaders.mjs';

export const MB = 1e6;

/** Opens the page of `uploader` on a fresh server and a fresh browser, and lets `work` have both. */
export async function visit(uploader, folder, work, settings, how) {
  const server = await peers[uploader.peer].serve(folder, uploader.options);
  try {
    const browser = await launch();
    try {
      const page = await uploader.page(`http://${server.addr}`, settings);
      return await work(await open(browser, page, how), server);
    } finally {
      await browser.close();
    }
  } finally {
    await server.stop();
  }
}

/** A job with those uploaders that `names` lists; ours first, `xhr` the measure. `slow` ones run once. */
export function upload({ files, size, names, slow = [], heap = false, ...job }) {
  const run = (uploader) => async ({ folder, source }) => {
    let stored;
    const result = await visit(uploader, folder, (tab, server) => {
      ({ stored } = server);
      return watched(server, () => handOver(tab, uploader.input, source.paths, { heap }));
    });
    if (result.late) throw new Error(`more than ${result.late / 1000} s`);
    if (!uploader.keepsNothing) compare(source, stored, { isOwn: peers[uploader.peer].isOwn, parts: uploader.parts });
    return result;
  };
  return {
    places: ['tmpfs'],
    source: [files, size],
    measure: 'xhr',
    columns: {
      s: { of: ({ ms }) => ms / 1000 },
      'longest task, ms': { of: ({ longestTaskMs }) => longestTaskMs },
      'hand-over task, ms': { of: ({ handOverMs }) => handOverMs },
      ...(heap
        ? { 'JS heap peak, MB': { of: ({ heapBytes }) => heapBytes / MB }, 'with buffers and DOM, MB': { of: ({ memoryBytes }) => memoryBytes / MB } }
        : {}),
      'server CPU s': { of: ({ cpu }) => cpu },
    },
    contestants: Object.fromEntries(
      names.map((name) => {
        const { title, peer } = uploaders[name];
        return [name, { title, peer, isSlow: slow.includes(name), isHidden: name === 'empty', run: run(uploaders[name]) }];
      }),
    ),
    ...job,
  };
}

/** Whether ours is the first of all that verify or resume: everybody but the pages that only put. */
export function first({ value, place = 'tmpfs', ours = 'hoist', peersOf, column = 's' }) {
  const others = peersOf.map((name) => value(place, name, column)).filter(Number.isFinite);
  return value(place, ours, column) / Math.min(...others);
}
