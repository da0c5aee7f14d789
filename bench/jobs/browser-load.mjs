// A cold browser opens the page: how long until files can be dropped, and what came over the line.

import { setTimeout as pause } from 'node:timers/promises';
import { visit } from '../lib/visit.mjs';
import { uploaders } from '../lib/uploaders.mjs';

const run = (uploader) => ({ folder }) => {
  const work = async ({ tab, line }) => {
    const ready = await tab.evaluate(() => bench.ready);
    // What the page loads behind it counts, too: until nothing more has come for a while.
    for (let seen = -1; seen < line.requests; ) {
      seen = line.requests;
      await pause(1000);
    }
    return { ready, ...line };
  };
  return visit(uploader, folder, work, undefined, { countsBytes: true });
};

export default {
  title: 'Chromium: from an empty cache to a page that takes files',
  places: ['tmpfs'],
  columns: {
    'ready after, ms': { of: ({ ready }) => ready },
    'kB over the line': { of: ({ bytes }) => bytes / 1000 },
    requests: { of: ({ requests }) => requests },
  },
  contestants: {
    hoist: { title: "Hoist's page", peer: 'hoist', run: run(uploaders.hoist) },
    copyparty: { title: "copyparty's page", peer: 'copyparty', run: run(uploaders.copyparty) },
  },
  goals: ({ value }) => [{ goal: 'at most 300 kB over the line', is: value('tmpfs', 'hoist', 'kB over the line'), most: 300 }],
};
