import { transfer } from '../lib/transfer.mjs';

export default transfer({
  title: 'Server: 64 files of 64 MiB at once',
  files: 64,
  size: 64 << 20,
  connections: 64,
  places: ['tmpfs'],
  names: ['hoist', 'nginx', 'rustus', 'tusd-node', 'copyparty', 'sink'],
  goals: ({ ratio, value }) => [
    { goal: '≥ 0.9 × nginx', is: ratio('tmpfs', 'hoist', 'nginx'), least: 0.9 },
    { goal: 'RSS ≤ 75 MiB', is: value('tmpfs', 'hoist', 'peak RSS, MiB'), most: 75 },
  ],
});
