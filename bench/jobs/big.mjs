import { transfer } from '../lib/transfer.mjs';

export default transfer({
  isCharted: true,
  title: 'Server: one file of 2 GiB over 4 connections',
  files: 1,
  size: 2 ** 31,
  connections: 4,
  names: ['hoist', 'hoist-sync', 'hoist-power', 'nginx', 'rustus', 'rustus-one', 'tusd-node', 'copyparty', 'sink'],
  goals: ({ ratio, value }) => [
    { goal: '≥ 0.9 × tuned nginx PUT', is: ratio('tmpfs', 'hoist', 'nginx'), least: 0.9 },
    { goal: '1.0 × tuned nginx PUT', is: ratio('tmpfs', 'hoist', 'nginx'), least: 1, isAim: true },
    { goal: '≤ 0.60 CPU s per GiB', is: value('tmpfs', 'hoist', 'CPU s/GiB'), most: 0.6 },
    { goal: 'RSS ≤ 64 MiB above idle', is: value('tmpfs', 'hoist', 'above idle, MiB'), most: 64 },
    { goal: '`power` ≥ 0.9 × of `process` and `sync`, on disk', is: ratio('disk', 'hoist-power', 'hoist-sync'), least: 0.9 },
  ],
});
