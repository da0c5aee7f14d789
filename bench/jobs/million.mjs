// A start and a list beside a million finished and ten thousand unfinished uploads.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { peers } from '../peers/all.mjs';
import { load } from '../lib/load.mjs';
import { median } from '../lib/stats.mjs';

const fill = join(import.meta.dirname, '../../server/tests/it/lab/fill.py');

async function run({ folder }) {
  const data = join(folder, 'data');
  // The program makes the catalog, and what is started a second time has nothing to put in order.
  await (await peers.hoist.serve(folder, { data })).stop();
  execFileSync('python3', [fill, join(data, 'catalog.db'), '1000000', '10000']);
  await (await peers.hoist.serve(folder, { data })).stop();
  const begun = performance.now();
  const server = await peers.hoist.serve(folder, { data });
  const start = performance.now() - begun;
  try {
    const pages = [];
    for (let time = 0; time < 15; time += 1) pages.push((await load(server, ['get', '/hoist/uploads?limit=50'])).seconds * 1000);
    return { start, page: median(pages), first: pages[0] };
  } finally {
    await server.stop();
  }
}

export default {
  title: 'Server: beside a million files',
  places: ['disk'],
  columns: {
    'start, ms': { of: ({ start }) => start },
    'a page of the list, ms': { of: ({ page }) => page },
    'the first page after the start, ms': { of: ({ first }) => first },
  },
  contestants: { hoist: { title: 'Hoist, `process`', peer: 'hoist', run } },
  goals: ({ value }) => [
    { goal: 'a page of the list ≤ 10 ms', is: value('disk', 'hoist', 'a page of the list, ms'), most: 10 },
    { goal: 'a start ≤ 2 s', is: value('disk', 'hoist', 'start, ms'), most: 2000 },
  ],
};
