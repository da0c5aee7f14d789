// What a page asks the server before and beside sending. No peer has such a call, so there is none beside.

import { peers } from '../peers/all.mjs';
import { load } from '../lib/load.mjs';
import { median } from '../lib/stats.mjs';

const FILES = 10_000;
const SIZE = 10 << 10;

async function run({ folder, source }) {
  const server = await peers.hoist.serve(folder);
  try {
    const files = ['--files', FILES, '--size', SIZE];
    const first = await load(server, ['creates', '--times', 15, '--files', 1000, '--size', 2 * SIZE]);
    await load(server, ['hoist', ...files, '--source', source.folder]);
    const again = await load(server, ['creates', ...files]);
    if (again.present !== FILES) throw new Error(`${again.present} of ${FILES} files were already there`);
    return { creates: median(first.seconds) * 1000, present: again.seconds[0] * 1000 };
  } finally {
    await server.stop();
  }
}

export default {
  title: 'Server: which files are needed',
  places: ['tmpfs', 'disk'],
  source: [FILES, SIZE],
  columns: {
    '1 000 creates, ms': { of: ({ creates }) => creates },
    '10 000 files that are already there, ms': { of: ({ present }) => present },
  },
  contestants: { hoist: { title: 'Hoist, `process`', peer: 'hoist', run } },
  goals: ({ value }) => [
    { goal: 'a thousand creates ≤ 20 ms', is: value('tmpfs', 'hoist', '1 000 creates, ms'), most: 20 },
    { goal: '10 000 files already there ≤ 200 ms', is: value('tmpfs', 'hoist', '10 000 files that are already there, ms'), most: 200 },
  ],
};
