import { transfer } from '../lib/transfer.mjs';

const why = `The goal is from a machine on which nginx, which verifies nothing, needs 0.42; its figure of today stands above. By \`perf\`, 58 % of
  ours are the kernel writing into files. Hashing in the task that receives, with one writer for each file, was tried and gained 4 to 6 %
  here and nothing with 512 MiB; a lock around each write, because a fifth of all is spinning for the kernel's own lock of the file, moves that fifth
  elsewhere and gains nothing; fewer hops between threads could gain 17 % at most`;

export default transfer({
  isCharted: true,
  isTold: true,
  title: 'Server: one file of 2 GiB over 4 connections',
  files: 1,
  size: 2 ** 31,
  connections: 4,
  names: ['hoist', 'hoist-sync', 'hoist-power', 'nginx', 'rustus', 'rustus-one', 'tusd-node', 'copyparty', 'sink'],
  goals: ({ ratio, value }) => [
    { goal: '≥ 0.9 × tuned nginx PUT', is: ratio('tmpfs', 'hoist', 'nginx'), least: 0.9 },
    { goal: '1.0 × tuned nginx PUT', is: ratio('tmpfs', 'hoist', 'nginx'), least: 1, isAim: true },
    { goal: '≤ 0.60 CPU s per GiB', is: value('tmpfs', 'hoist', 'CPU s/GiB'), most: 0.6, why },
    { goal: 'RSS ≤ 64 MiB above idle', is: value('tmpfs', 'hoist', 'above idle, MiB'), most: 64 },
    { goal: '`power` ≥ 0.9 × of `process` and `sync`, on disk', is: ratio('disk', 'hoist-power', 'hoist-sync'), least: 0.9 },
  ],
});
