// Many files of 10 KiB from a page.

import { first, upload } from './visit.mjs';

const why = `For each file the page waits (0.2 ms alone, 0.35 ms while files are also read and sent) until the browser has told its size and time, which no call tells without
  waiting (1.8 of the 3 s for 5 000), and reading it for its checksum takes 0.25 ms more; a page that reads nothing and packs files by reference stands above. Tried: reading each by itself, in
  larger groups, in one and in two workers (handing a file to a worker asks for its size, too), as streams into memory that is used again (nothing), asking in
  longer and shorter turns, announcing more of them at a time (a tenth), sending through WebSockets (6 %), and showing
  progress ten times a second instead of with each frame (3 %, so left out). It is the page's thread that takes the 3 s: all processes together need 3.6 to 4.5 CPU s for 5 000 files (the hand-over taken off), so that
  two cores could do it in 1.8 to 2.2 (0.28 to 0.34 × plain) if nobody waited. Not tried yet: each file is read without its size being asked for (16 at a time 1.5 s for
  5 000, and the page is free meanwhile) and known by its bytes; its time is asked for when all are sent`;

export const smallFiles = ({ files, others, ...more }) =>
  upload({
    isTold: true,
    title: `Chromium: ${files.toLocaleString('en').replace(',', ' ')} files of 10 KiB`,
    files,
    size: 10 << 10,
    heap: true,
    names: ['hoist', 'hoist-power', 'xhr', 'packs', 'empty', ...others],
    goals: ({ ratio, value }) => [
      { goal: '≤ 0.33 × plain XHR PUTs', is: ratio('tmpfs', 'hoist', 'xhr'), most: 0.33, why },
      { goal: 'no main-thread task over 50 ms, ms', is: value('tmpfs', 'hoist', 'longest task, ms'), most: 50 },
      {
        goal: 'the task of the hand-over ≤ 50 ms beyond what the empty page shows, ms',
        is: value('tmpfs', 'hoist', 'hand-over task, ms') - value('tmpfs', 'empty', 'hand-over task, ms'),
        most: 50,
      },
      {
        goal: 'heap within 20 MB of the empty page, MB',
        is: value('tmpfs', 'hoist', 'JS heap peak, MB') - value('tmpfs', 'empty', 'JS heap peak, MB'),
        most: 20,
      },
      { goal: 'first of all uploaders: × the next', is: first({ value, peersOf: others }), most: 1 },
    ],
    ...more,
  });
