import { first, upload } from '../lib/visit.mjs';

const others = ['uppy-rustus', 'uppy-tusd-node', 'copyparty', 'filepond', 'filepond-chunked'];

const why = `Both keep two cores busy for most of their time. The plain PUT needs 4.4 to 4.8 CPU s of all processes together, nginx included; ours 6.2 to 6.5:
  2.3 reading for the checksums, 1 to 1.3 of it BLAKE3 in wasm, 1.1 handing the bytes to WebSockets, 0.7 to 1.2 the network process, 1.2 the server, which hashes too.
  Tried: the same in requests (8: \`send\` copies twice into new memory), slices of the file (10), checksums in workers (as much), messages of
  16 KiB to 1 MiB (256 KiB is best), WebSocketStream, packs of 4 MiB, 32 to 128 MiB read ahead (as much each), the whole file in one request beside the reading for checksums (7.1:
  the network process alone needs 2.0 to 2.7 to read and send it)`;

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
