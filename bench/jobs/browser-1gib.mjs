import { first, upload } from '../lib/visit.mjs';

const others = ['uppy-rustus', 'uppy-tusd-node', 'copyparty', 'filepond', 'filepond-chunked'];

export default upload({
  isCharted: true,
  title: 'Chromium: one file of 1 GiB',
  files: 1,
  size: 2 ** 30,
  names: ['hoist', 'hoist-power', 'xhr', 'slices', ...others],
  goals: ({ ratio, value }) => [
    { goal: '≤ 1.0 × plain XHR PUT, with checksums', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1 },
    { goal: '1.0 × the best slicing without checksums', is: ratio('tmpfs', 'hoist', 'slices'), most: 1, isAim: true },
    { goal: 'first of all uploaders: × the next', is: first({ value, peersOf: others }), most: 1 },
  ],
});
