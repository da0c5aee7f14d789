/** A frame of a WebSocket as a browser sends it (RFC 6455, section 5.2). */
export interface Frame {
  isText: boolean;
  /** Bytes of its head, the mask included, and of all of it. */
  head: number;
  length: number;
}

/** The frame that begins here; `undefined` as long as its head is not there. */
export function frameAt(bytes: Buffer): Frame | undefined {
  const head = headSize(bytes);
  if (bytes.length < head) return undefined;
  const short = bytes[1]! & 127;
  const payload = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  return { isText: (bytes[0]! & 15) === 1, head, length: head + payload };
}

function headSize(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const short = bytes[1]! & 127;
  return 2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + (bytes[1]! & 128 ? 4 : 0);
}

/** The text of a whole frame. */
export function textOf(bytes: Buffer, { head, length }: Frame): string {
  const mask = bytes.subarray(head - 4, head);
  return Buffer.from(bytes.subarray(head, length).map((byte, at) => byte ^ mask[at % 4]!)).toString();
}
