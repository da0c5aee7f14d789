// Reading files for their checksums, and sending whole files as they lie on the disk.

/** Files up to here are read many at a time: asking the browser costs more than their bytes. */
const SMALL = 256 << 10;
/** Most bytes and files of one such reading. */
const GROUP_SIZE = 1 << 20;
const GROUP_FILES = 64;
/** Buffers that wait to be filled again; new memory costs more than reading into it. */
const SPARE = 4;

/** Bytes of a file in memory of their own, or `undefined` if they cannot be read. */
export const read = (file, start, end) => (end <= SMALL && start === 0 && end === file.size ? readSmall(file) : readNext(file, start, end));

/** Gives back what `readNext` has read, when nobody looks at it any more. */
export function giveBack(bytes) {
  if (spare.length < SPARE) spare.push(bytes.buffer);
}

/** A pack in the shape of a form: its manifest, and files whole. The browser reads them itself. */
export function packForm(manifest, files) {
  const form = new FormData();
  form.append('manifest', manifest);
  // A name of ours, because theirs may be long, and nobody reads it.
  for (const file of files) form.append('file', file, 'f');
  return form;
}

const spare = [];
/** For each file that is being read, the stream that goes on where the last range ended. */
const streams = new WeakMap();

/** Reads ranges of one file one after the other: most follow each other, and a stream costs the browser less than slices. */
function readNext(file, start, end) {
  let stream = streams.get(file);
  if (!stream) streams.set(file, (stream = { at: -1, last: undefined, reader: undefined }));
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

async function fill(stream, file, start, end) {
  if (stream.at !== start) {
    close(stream);
    stream.reader = open(file.slice(start));
    stream.at = start;
  }
  const { reader } = stream;
  const length = end - start;
  if (!reader) return exactly(file.slice(start, end), length);
  let buffer = spare.pop();
  if (!(buffer?.byteLength >= length)) buffer = new ArrayBuffer(length);
  for (let filled = 0; filled < length; ) {
    const { value, done } = await reader.read(new Uint8Array(buffer, filled, length - filled));
    if (done) return close(stream);
    buffer = value.buffer;
    filled += value.length;
  }
  stream.at = end;
  if (end >= file.size) close(stream);
  return new Uint8Array(buffer, 0, length);
}

/** A reader that fills our own buffers; `undefined` in a browser that has none. */
function open(blob) {
  try {
    return blob.stream().getReader({ mode: 'byob' });
  } catch {
    return undefined;
  }
}

function close(stream) {
  stream.reader?.cancel().catch(() => undefined);
  stream.reader = undefined;
  stream.at = -1;
}

let group;

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

/** The bytes of a blob, if they are as many. */
async function exactly(blob, length) {
  try {
    const buffer = await blob.arrayBuffer();
    return buffer.byteLength === length ? new Uint8Array(buffer) : undefined;
  } catch {
    return undefined;
  }
}
