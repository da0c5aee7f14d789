import { first, upload } from '../lib/visit.mjs';

const others = ['uppy-rustus', 'uppy-tusd-node', 'copyparty', 'filepond'];

export default upload({
  title: 'Chromium: 20 files of 20 MiB',
  files: 20,
  size: 20 << 20,
  names: ['hoist', 'hoist-power', 'xhr', ...others],
  goals: ({ ratio, value }) => [
    { goal: '≤ 1.2 × plain XHR PUTs, with checksums', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1.2 },
    { goal: '1.1 × plain XHR PUTs', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1.1, isAim: true },
    { goal: 'first of all uploaders: × the next', is: first({ value, peersOf: others }), most: 1 },
  ],
});
