import { transfer } from '../lib/transfer.mjs';

const why = `The goal is from a machine on which nginx, which verifies nothing, needs 0.42; its figure of today stands above. A program of
  fifty lines that does nothing but read, hash and write the same bytes, with a thread for each connection, needs 0.94 to 1.13 here, so that there is
  next to nothing left to gain without leaving out BLAKE3 (0.2) or the kernel's copies. Tried besides: other threads for writing (1.26 instead of 0.98), a
  turn for each file instead of the kernel's own lock, on which a seventh of all is spent spinning (up to 40 % slower), buffers of 64 KiB to 2 MiB (1 MiB is best),
  a folder in memory with huge pages (0.65 to 0.72 in the best runs, in which nginx needs 0.36 to 0.46; no run below 0.64)`;

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
