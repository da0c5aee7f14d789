// Memory that is filled again: new memory costs a browser more than reading into it does.

/** Bytes that wait to be filled again, and for how long. */
const MOST_SPARE = 64 << 20;
const SPARE_MS = 2000;

const spare = [];
let spareSize = 0;
/** Buffers of ours: no others are ever filled again. */
const ours = new WeakSet();
let idle;

/** A buffer of at least so many bytes, with anything in it. */
export function take(length) {
  const at = spare.findLastIndex(({ byteLength }) => byteLength >= length && byteLength <= 2 * length);
  if (at < 0) return new ArrayBuffer(length);
  spareSize -= spare[at].byteLength;
  return spare.splice(at, 1)[0];
}

/** Says that this buffer may be filled again once somebody gives it back. */
export const own = (buffer) => ours.add(buffer);

/** Gives memory of ours back when nobody looks at it any more; other memory is left alone. */
export function giveBack({ buffer }) {
  if (!ours.has(buffer) || spareSize + buffer.byteLength > MOST_SPARE) return;
  spare.push(buffer);
  spareSize += buffer.byteLength;
  // Nothing is kept for a page that does nothing.
  clearTimeout(idle);
  idle = setTimeout(() => (spare.length = spareSize = 0), SPARE_MS);
}

/** Bytes in one buffer, to be given back. */
export function join(parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(take(length), 0, length);
  own(whole.buffer);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
