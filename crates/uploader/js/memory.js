// Memory that is filled again: new memory costs a browser more than reading into it does.

const { userAgent = '', deviceMemory = 8 } = globalThis.navigator ?? {};
/** Whether this is Chromium with memory to spare: for others it is not known that this pays. */
export const isRoomy = /Chrom(e|ium)\//.test(userAgent) && !/Android|Mobile/.test(userAgent) && deviceMemory >= 4;
/** Bytes that wait to be filled again, and for how long. */
const MOST_SPARE = (isRoomy ? 64 : 8) << 20;
const SPARE_MS = 2000;
/** Sizes are multiples of this, so that packs with manifests of other lengths fit each other's memory. */
const STEP = 64 << 10;

const spare = [];
let spareSize = 0;
/** Buffers of ours: no others are ever filled again. */
const ours = new WeakSet();
let idle;

/** A buffer of at least so many bytes, with anything in it. */
export function take(length) {
  for (let at = spare.length - 1; at >= 0; at -= 1) {
    const { byteLength } = spare[at];
    if (byteLength < length || byteLength > 2 * length + STEP) continue;
    spareSize -= byteLength;
    return spare.splice(at, 1)[0];
  }
  return new ArrayBuffer(Math.ceil(length / STEP) * STEP);
}

/** Says that this buffer may be filled again once somebody gives it back. */
export const own = (buffer) => ours.add(buffer);

/** Gives memory of ours back when nobody looks at it any more; other memory is left alone. */
export function giveBack({ buffer }) {
  const { byteLength } = buffer;
  if (!ours.has(buffer) || byteLength === 0 || byteLength > MOST_SPARE || spare.includes(buffer)) return;
  // The oldest go: it is their size that nobody wants.
  while (spareSize + byteLength > MOST_SPARE) spareSize -= spare.shift().byteLength;
  spare.push(buffer);
  spareSize += byteLength;
  // Nothing is kept for a page that does nothing.
  clearTimeout(idle);
  idle = setTimeout(() => (spare.length = spareSize = 0), SPARE_MS);
}

export const lengthOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0);

/** Bytes in one buffer, to be given back. */
export function join(parts) {
  const length = lengthOf(parts);
  const whole = new Uint8Array(take(length), 0, length);
  own(whole.buffer);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The same bytes in the same order, in memory that can be given away: what is of use to somebody else, too, is copied. */
export function apart(parts) {
  const uses = new Map();
  for (const { buffer } of parts) uses.set(buffer, (uses.get(buffer) ?? 0) + 1);
  const given = [];
  let shared = [];
  const gather = () => {
    if (shared.length > 0) given.push(join(shared));
    shared = [];
  };
  for (const part of parts) {
    if (!ours.has(part.buffer) || uses.get(part.buffer) > 1) shared.push(part);
    else {
      gather();
      given.push(part);
    }
  }
  gather();
  return given;
}
