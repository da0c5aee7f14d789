import { transfer } from '../lib/transfer.mjs';

const why = `Three quarters of our CPU are the kernel writing files, most of it copying into fresh pages. Beyond 2 GiB in one run this machine gives pages that its host has taken
  back: 64 files of 32 MiB come in at 1 451 MB/s and 1.3 CPU s/GiB, and with that taking back turned off these at 914. A faster server meets less of
  it. Tried: buffers of 64 KiB and pieces of 192 KiB for up to 64 connections, 6 to 12 % faster, not landed: its memory is not measured yet`;

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
