import { peers } from '../peers/all.mjs';
import { load, watched } from '../lib/load.mjs';

const FILES = 1000;
const SIZE = 512 << 10;
const RATE = 64 << 10;

const run = (peer, speech, prefix, options) => async ({ folder, source }) => {
  const server = await peers[peer].serve(folder, { files: FILES, ...options });
  try {
    return await watched(server, async () => {
      const told = await load(server, ['slow', speech, '--rate', RATE, '--files', FILES, '--size', SIZE, '--source', source.folder, '--prefix', prefix]);
      if (told.done !== FILES) throw new Error(`${told.done} of ${FILES} came to a good end`);
      return told;
    });
  } finally {
    await server.stop();
  }
};

export default {
  title: 'Server: 1 000 uploads at 64 KiB/s each',
  places: ['tmpfs'],
  source: [FILES, SIZE],
  measure: 'nginx-64k',
  columns: {
    'peak RSS, MiB': { of: ({ peak }) => peak / 2 ** 20 },
    's': { of: ({ seconds }) => seconds },
    'CPU s': { of: ({ cpu }) => cpu },
  },
  contestants: {
    hoist: { title: 'Hoist, `process`', peer: 'hoist', run: run('hoist', 'hoist', '/') },
    'nginx-64k': { title: 'nginx PUT, buffers of 64 KiB', peer: 'nginx', run: run('nginx', 'put', '/', { buffer: '64k' }) },
    nginx: { title: 'nginx PUT, tuned for large files', peer: 'nginx', run: run('nginx', 'put', '/') },
    rustus: { title: 'rustus', peer: 'rustus', run: run('rustus', 'tus', '/files/') },
    'tusd-node': { title: '@tus/server', peer: 'tusd-node', run: run('tusd-node', 'tus', '/files/') },
    copyparty: { title: 'copyparty, PUT', peer: 'copyparty', run: run('copyparty', 'put', '/') },
  },
  goals: ({ value }) => [
    { goal: 'RSS ≤ 100 MiB', is: value('tmpfs', 'hoist', 'peak RSS, MiB'), most: 100 },
    { goal: 'RSS ≤ 60 MiB', is: value('tmpfs', 'hoist', 'peak RSS, MiB'), most: 60, isAim: true },
  ],
};
