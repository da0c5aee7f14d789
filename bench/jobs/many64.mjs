import { transfer } from '../lib/transfer.mjs';

const why = `Beyond 2 GiB in one run this machine gives pages that its host has taken back, and a faster server meets less of it. A program of fifty lines
  that does nothing but read, hash and write the same bytes is 1.0 to 1.2 × as fast as nginx here; the rest are tokio's and hyper's tasks and timers`;

export default transfer({
  title: 'Server: 64 files of 64 MiB at once',
  files: 64,
  size: 64 << 20,
  connections: 64,
  places: ['tmpfs'],
  names: ['hoist', 'nginx', 'rustus', 'tusd-node', 'copyparty', 'sink'],
  goals: ({ ratio, value }) => [
    { goal: '≥ 0.9 × nginx', is: ratio('tmpfs', 'hoist', 'nginx'), least: 0.9, why },
    { goal: 'RSS ≤ 75 MiB', is: value('tmpfs', 'hoist', 'peak RSS, MiB'), most: 75 },
  ],
});
