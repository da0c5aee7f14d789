import { first, upload } from '../lib/visit.mjs';

const others = ['uppy-rustus', 'uppy-tusd-node', 'copyparty', 'filepond', 'filepond-chunked'];

const why = `The plain PUT needs 4.6 CPU s of all processes together, nginx included, and leaves two cores idle for a third of its time; ours needs
  8: 2.4 the page's \`send\`, which copies twice into new memory, 2.2 reading for the checksums, 0.9 BLAKE3 in wasm, 1.4 the network process, 1.2 the
  server. Tried: slices of the file (10), the same from workers (as much, and their requests outlive a reload), checksums in workers (as
  much), whole files in one request (a tenth of the effort of sending, but acknowledged before they are proven: DESIGN.md)`;

export default upload({
  isCharted: true,
  isTold: true,
  title: 'Chromium: one file of 1 GiB',
  files: 1,
  size: 2 ** 30,
  names: ['hoist', 'hoist-power', 'xhr', 'slices', ...others],
  goals: ({ ratio, value }) => [
    { goal: '≤ 1.0 × plain XHR PUT, with checksums', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1, why },
    { goal: '1.0 × the best slicing without checksums', is: ratio('tmpfs', 'hoist', 'slices'), most: 1, isAim: true },
    { goal: 'first of all uploaders: × the next', is: first({ value, peersOf: others }), most: 1 },
  ],
});
