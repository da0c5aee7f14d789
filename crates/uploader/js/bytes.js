// Reading files for their checksums, and sending whole files as they lie on the disk.

import { isRoomy, own, take } from './memory.js';

/** Most bytes and files of one reading of small files: asking the browser costs more than their bytes. */
const GROUP_SIZE = 1 << 20;
const GROUP_FILES = 64;

/** Whether this browser fills our own buffers. Asked of nothing, because one that does not would begin to load what it is asked of. */
const fillsBuffers = (() => {
  try {
    new Blob([]).stream().getReader({ mode: 'byob' }).releaseLock();
    return true;
  } catch {
    return false;
  }
})();

/** Whether a file that has changed since it was picked cannot be read. Elsewhere files are read one by one: of two of which
 * one has grown and the other shrunk by as much, nobody would see it. */
const seesChanges = /Chrom(e|ium)\//.test(globalThis.navigator?.userAgent);

/**
 * Bytes of a file in memory of their own, `undefined` if they cannot be read.
 *
 * How: 0, a range that follows the last one, as most do; 1, all of a small file; 2, a range by itself.
 */
export const read = (file, start, end, how) => [readNext, seesChanges ? readSmall : readOnce, readOnce][how](file, start, end);

function readNext(file, start, end) {
  if (!fillsBuffers) return readOnce(file, start, end);
  let stream = streams.get(file);
  if (!stream) streams.set(file, (stream = { at: -1, last: undefined, reader: undefined, hasEnded: false }));
  const mine = (async () => {
    await stream.last;
    try {
      return await fill(stream, file, start, end);
    } catch {
      return close(stream);
    }
  })();
  stream.last = mine;
  return mine;
}

/** A range of a file, opened for it alone; the browser looks whether the file is still what it was. */
const readOnce = (file, start, end) => exactly(file.slice(start, end), end - start);

/** A whole small file, together with others that are asked for at the same time. */
async function readSmall(file) {
  if (!group || group.size + file.size > GROUP_SIZE || group.files.length >= GROUP_FILES) {
    const mine = { files: [], size: 0 };
    mine.bytes = Promise.resolve().then(() => {
      // All that were asked for in this turn are in it.
      if (group === mine) group = undefined;
      return exactly(mine.files.length > 1 ? new Blob(mine.files) : mine.files[0], mine.size);
    });
    group = mine;
  }
  const { size: at, bytes } = group;
  group.files.push(file);
  group.size += file.size;
  // One that has changed or is gone spoils the reading of all: each for itself tells which it is.
  return (await bytes)?.subarray(at, at + file.size) ?? exactly(file, file.size);
}

/**
 * Whether pieces of a large file are sent from the memory that they were read into: there is enough of it, and a browser
 * that reads pieces of a file again while it sends them needs twice the time that it needs for memory or for a whole file.
 */
export const keepsPieces = () => fillsBuffers && isRoomy;

/** Nothing more of a file is read soon. */
export function release(file) {
  const stream = streams.get(file);
  // After what is being read: closing under it would be taken for a file that has gone.
  if (stream) stream.last = Promise.resolve(stream.last).then(() => close(stream));
}

/** A pack in the shape of a form: its manifest, and files whole. The browser reads them itself. */
export function packForm(manifest, files) {
  const form = new FormData();
  form.append('manifest', manifest);
  // A name of ours, because theirs may be long, and nobody reads it.
  for (const file of files) form.append('file', file, 'f');
  return form;
}

/** For each file that is being read, the stream that goes on where the last range ended. */
const streams = new WeakMap();
let group;

async function fill(stream, file, start, end) {
  if (stream.at !== start) {
    close(stream);
    stream.reader = file.slice(start).stream().getReader({ mode: 'byob' });
    stream.at = start;
  }
  const length = end - start;
  let buffer = take(length);
  for (let at = 0; at < length; ) {
    const { value, done } = await stream.reader.read(new Uint8Array(buffer, at, length - at));
    if (done) return close(stream);
    buffer = value.buffer;
    at += value.length;
  }
  own(buffer);
  stream.at = end;
  if (end >= file.size) {
    close(stream);
    stream.hasEnded = true;
  }
  // The file was looked at when the stream was opened, perhaps long ago, and must still be the same: at its end, and with
  // each piece that is read after it.
  if (stream.hasEnded && !(await readOnce(file, 0, 1))) return close(stream);
  return new Uint8Array(buffer, 0, length);
}

function close(stream) {
  stream.reader?.cancel().catch(() => undefined);
  stream.reader = undefined;
  stream.at = -1;
}

/** The bytes of a blob, if they are as many. */
async function exactly(blob, length) {
  try {
    const buffer = await blob.arrayBuffer();
    return buffer.byteLength === length ? new Uint8Array(buffer) : undefined;
  } catch {
    return undefined;
  }
}
