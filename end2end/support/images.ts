import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import type { Locator, Page } from '@playwright/test';

/** Red, green, blue. */
export type Colour = readonly [number, number, number];

/** A PNG of one colour, byte by byte; the number makes its bytes differ from others' that look the same. */
export function png(width: number, height: number, colour: Colour, number = 0): Buffer {
  const line = Buffer.concat([Buffer.of(0), Buffer.alloc(width * 3, Buffer.from(colour))]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits, true colour
  const part = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    part('IHDR', header),
    part('tEXt', Buffer.from(`Comment\0${number}`, 'latin1')),
    part('IDAT', deflateSync(Buffer.concat(Array<Buffer>(height).fill(line)))),
    part('IEND', Buffer.alloc(0)),
  ]);
}

/** A JPEG, red on its left half and blue on its right, written by a browser. */
export async function jpeg(page: Page, width: number, height: number): Promise<Buffer> {
  const url = await page.evaluate(
    ([w, h]) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [w!, h!];
      const context = canvas.getContext('2d')!;
      context.fillStyle = '#f00';
      context.fillRect(0, 0, w! / 2, h!);
      context.fillStyle = '#00f';
      context.fillRect(w! / 2, 0, w! / 2, h!);
      return canvas.toDataURL('image/jpeg', 0.9);
    },
    [width, height],
  );
  const bytes = Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
  if (bytes.readUInt16BE(0) !== 0xffd8) throw new Error('the browser has not written a JPEG');
  return bytes;
}

/** The same JPEG as from a camera that was held otherwise: with an EXIF orientation, 1 to 8. */
export function turned(bytes: Buffer, orientation: number): Buffer {
  const exif = Buffer.concat([
    Buffer.from('Exif\0\0', 'latin1'),
    Buffer.from('4d4d002a00000008', 'hex'), // TIFF, big-endian, its only directory follows
    Buffer.from('0001', 'hex'), // one entry
    Buffer.from('0112000300000001', 'hex'), // orientation, one short
    Buffer.of(0, orientation, 0, 0),
    Buffer.from('00000000', 'hex'),
  ]);
  const head = Buffer.from('ffe10000', 'hex');
  head.writeUInt16BE(exif.length + 2, 2);
  return Buffer.concat([bytes.subarray(0, 2), head, exif, bytes.subarray(2)]);
}

/** Other bytes, the same picture: a JPEG with a comment. */
export function commented(bytes: Buffer, comment: string): Buffer {
  const head = Buffer.from('fffe0000', 'hex');
  head.writeUInt16BE(comment.length + 2, 2);
  return Buffer.concat([bytes.subarray(0, 2), head, Buffer.from(comment, 'latin1'), bytes.subarray(2)]);
}

export function write(path: string, bytes: Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

/** What is really in an `<img>`: its own size, the size it is drawn in, and colours of four places. */
export interface Picture {
  natural: [number, number];
  drawn: [number, number];
  top: string;
  bottom: string;
  left: string;
  right: string;
}

export async function look(picture: Locator): Promise<Picture> {
  return picture.evaluate((img) => {
    if (!(img instanceof HTMLImageElement) || !img.complete || img.naturalWidth === 0) throw new Error('there is no picture');
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    context.drawImage(img, 0, 0);
    const [width, height] = [canvas.width, canvas.height];
    const colour = (x: number, y: number): string => {
      const [r, g, b] = context.getImageData(Math.floor(x * (width - 1)), Math.floor(y * (height - 1)), 1, 1).data;
      if (r! > 150 && b! < 100 && g! < 100) return 'red';
      if (b! > 150 && r! < 100 && g! < 100) return 'blue';
      if (g! > 100 && r! < 100 && b! < 100) return 'green';
      return `${r},${g},${b}`;
    };
    const box = img.getBoundingClientRect();
    return {
      natural: [width, height],
      drawn: [Math.round(box.width), Math.round(box.height)],
      top: colour(0.5, 0.1),
      bottom: colour(0.5, 0.9),
      left: colour(0.1, 0.5),
      right: colour(0.9, 0.5),
    };
  });
}
