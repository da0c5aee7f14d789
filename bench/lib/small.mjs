// Many files of 10 KiB from a page.

import { first, upload } from './visit.mjs';

export const smallFiles = ({ files, others, ...more }) =>
  upload({
    title: `Chromium: ${files.toLocaleString('en').replace(',', ' ')} files of 10 KiB`,
    files,
    size: 10 << 10,
    heap: true,
    names: ['hoist', 'hoist-power', 'xhr', 'packs', 'empty', ...others],
    goals: ({ ratio, value }) => [
      { goal: '≤ 0.33 × plain XHR PUTs', is: ratio('tmpfs', 'hoist', 'xhr'), most: 0.33 },
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
