// Jobs in which the native client sends files: who takes part, and what of it is told.

import { execFileSync } from 'node:child_process';
import { peers } from '../peers/all.mjs';
import { load, watched } from './load.mjs';
import { compare } from './source.mjs';

/** `speech`: how `load` speaks; `options` are the peer's. */
const who = (title, peer, speech, { prefix = '/', options, more } = {}) => ({ title, peer, speech, prefix, options, more });

export const contestants = {
  hoist: who('Hoist, `process`', 'hoist', ['hoist']),
  'hoist-sync': { ...who('Hoist, `process`, then `sync`', 'hoist', ['hoist']), syncs: true },
  'hoist-power': who('Hoist, `power`', 'hoist', ['hoist'], { options: { durability: 'power' } }),
  nginx: who('nginx PUT, tuned', 'nginx', ['put']),
  rustus: who('rustus, PATCHes of 8 MiB', 'rustus', ['tus', '--chunk-size', 8 << 20], { prefix: '/files/' }),
  'rustus-one': who('rustus, one PATCH', 'rustus', ['tus'], { prefix: '/files/' }),
  'tusd-node': who('@tus/server, one PATCH', 'tusd-node', ['tus'], { prefix: '/files/' }),
  copyparty: who('copyparty, PUT', 'copyparty', ['put']),
  sink: { ...who('a sink: the ceiling of the client', 'sink', ['hoist']), keepsNothing: true },
};

/** A job with those of them that `names` lists; the first is ours, `nginx` the measure. */
export function transfer({ files, size, connections, names, more = [], ...job }) {
  const args = ['--files', files, '--size', size, '--connections', connections, ...more];
  const run = ({ peer, speech, prefix, options, keepsNothing, syncs }) => async ({ folder, source }) => {
    const { serve, isOwn } = peers[peer];
    const server = await serve(folder, { files, ...options });
    let result;
    try {
      result = await watched(server, async () => {
        const { seconds } = await load(server, [...speech, ...args, '--source', source.folder, '--prefix', prefix]);
        if (!syncs) return { seconds };
        const begun = performance.now();
        execFileSync('sync', ['-f', folder]);
        return { seconds: seconds + (performance.now() - begun) / 1000 };
      });
    } finally {
      await server.stop();
    }
    if (!keepsNothing) compare(source, server.stored, { isOwn });
    return result;
  };
  const bytes = files * size;
  return {
    places: ['tmpfs', 'disk'],
    source: [files, size],
    measure: 'nginx',
    columns: {
      ...(files >= 1000
        ? { 'files/s': { of: ({ seconds }) => files / seconds, isSpeed: true } }
        : { 'MB/s': { of: ({ seconds }) => bytes / 1e6 / seconds, isSpeed: true } }),
      'CPU s/GiB': { of: ({ cpu }) => (cpu / bytes) * 2 ** 30 },
      'peak RSS, MiB': { of: ({ peak }) => peak / 2 ** 20 },
      'above idle, MiB': { of: ({ peak, idle }) => (peak - idle) / 2 ** 20 },
    },
    contestants: Object.fromEntries(
      names.map((name) => {
        const contestant = contestants[name];
        return [name, { title: contestant.title, peer: contestant.peer, run: run(contestant) }];
      }),
    ),
    ...job,
  };
}
