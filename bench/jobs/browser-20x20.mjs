import { first, upload } from '../lib/visit.mjs';

const others = ['uppy-rustus', 'uppy-tusd-node', 'copyparty', 'filepond'];

const why = `Both keep two cores busy. The plain PUTs need 1.7 CPU s of all processes together; ours sends as cheaply (whole files in forms) and needs
  besides: 0.7 in the browser's process to read for the checksums, 1.1 in the page to take that and hash it (BLAKE3 in wasm alone 0.4), 0.2 more in
  the server, which hashes too. Tried: slices and buffers as bodies (five and two and a half times the effort of whole files), reading by slices,
  by \`fetch\`, by FileReaderSync and larger pieces, checksums in workers: all as dear or dearer; several files at a time (a
  sixth less for the reading alone, nothing in the whole); pieces from memory through WebSockets, as large files go (2.3 × plain)`;
const whyNotFirst = `Within a fifth of Uppy, which verifies nothing: four runs in two days lay between 0.945 and 1.18. Both keep two cores busy with the same effort`;

export default upload({
  isTold: true,
  title: 'Chromium: 20 files of 20 MiB',
  files: 20,
  size: 20 << 20,
  names: ['hoist', 'hoist-power', 'xhr', ...others],
  goals: ({ ratio, value }) => [
    { goal: '≤ 1.2 × plain XHR PUTs, with checksums', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1.2, why },
    { goal: '1.1 × plain XHR PUTs', is: ratio('tmpfs', 'hoist', 'xhr'), most: 1.1, isAim: true },
    { goal: 'first of all uploaders: × the next', is: first({ value, peersOf: others }), most: 1, why: whyNotFirst },
  ],
});
