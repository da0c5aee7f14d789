import { createCipheriv, createHash } from 'node:crypto';

/** Random numbers that are the same for the same seed, on every machine. */
export class Random {
  private state: number;

  constructor(seed: string) {
    this.state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  }

  /** At least 0, less than 1. (mulberry32) */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** At least `from`, less than `to`, whole. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from));
  }

  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[] {
    const left = [...things];
    const out: T[] = [];
    while (left.length > 0) out.push(...left.splice(this.between(0, left.length), 1));
    return out;
  }
}

/** Random bytes without end, the same for the same seed; no two blocks of them are equal. */
export function randomBytes(seed: string): (length: number) => Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}
