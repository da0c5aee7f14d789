import { transfer } from '../lib/transfer.mjs';

export default transfer({
  isCharted: true,
  isTold: true,
  title: 'Server: 10 000 files of 10 KiB over 6 connections',
  files: 10_000,
  size: 10 << 10,
  connections: 6,
  names: ['hoist', 'hoist-power', 'nginx', 'rustus', 'tusd-node', 'copyparty', 'sink'],
  goals: ({ value }) => [
    { goal: '≥ 10 000 files/s', is: value('tmpfs', 'hoist', 'files/s'), least: 10_000 },
    { goal: '15 000 files/s', is: value('tmpfs', 'hoist', 'files/s'), least: 15_000, isAim: true },
  ],
});
