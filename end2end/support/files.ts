import { execFile } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Random, randomBytes } from './random.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** A folder that is gone when the journey is over. */
export class Scratch {
  readonly dir = mkdtempSync(join(tmpdir(), 'hoist-journey-'));

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Writes a file of seeded random bytes, whatever its size, and gives it a fixed time. */
export function writeRandomFile(path: string, size: number, seed: string): string {
  mkdirSync(dirname(path), { recursive: true });
  const more = randomBytes(seed);
  const file = openSync(path, 'w');
  for (let left = size; left > 0; ) {
    const block = more(Math.min(left, 4 * MiB));
    for (let at = 0; at < block.length; ) at += writeSync(file, block, at);
    left -= block.length;
  }
  closeSync(file);
  setTime(path, 1_700_000_000 + new Random(seed).between(0, 10_000_000));
  return path;
}

/** Sets when a file was last modified, in seconds since the epoch. */
export function setTime(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

/** Turns around the bits of one byte; size and time stay as they are. */
export function damageOneByte(path: string, offset: number): void {
  const { mtimeMs, size } = statSync(path);
  if (offset >= size) throw new Error(`${path} has no byte ${offset}`);
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  byte[0]! ^= 0xff;
  writeSync(file, byte, 0, 1, offset);
  closeSync(file);
  utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  if (statSync(path).mtimeMs !== mtimeMs) throw new Error(`${path}: its time has changed`);
}

/** Names that have broken uploaders: nested, long, of many scripts, decomposed, with signs of URLs. */
const difficultNames = [
  '空文件.txt',
  '报告 最终版（2）.pdf',
  'تقرير نهائي.docx',
  'עברית.txt',
  '🦀🚀 launch 👩‍👩‍👧‍👦.png',
  'cafe\u0301 de\u0301compose\u0301.txt',
  'Übergrößenträger.txt',
  '100% sure.txt',
  'a&b=c#d+e.txt',
  "it's; $HOME `x`.txt",
  'spaces   inside .txt',
  '.hidden',
  'no extension',
  'two..dots',
  '한국어 파일.hwp',
  'ไทย.txt',
  'русский файл.txt',
  `${'long-'.repeat(40)}.txt`,
];

/**
 * A tree of small files: nested folders, empty files, difficult names, sizes around those of chunks.
 * Returns how many files it has.
 */
export function writeTree(root: string, count: number, seed: string): number {
  const random = new Random(seed);
  const folders = ['', 'photos', 'photos/2025', 'photos/2025/été', '文档', '文档/子目录', 'مجلد', 'deep/er/and/deep/er/still', 'emoji 🗂️', 'de\u0301ja\u0300 vu'];
  for (let i = 0; i < count; i++) {
    const folder = folders[i % folders.length]!;
    const round = Math.floor(i / folders.length);
    const name = round < difficultNames.length ? difficultNames[round]! : `file ${String(i).padStart(4, '0')}.bin`;
    const size = i % 17 === 0 ? 0 : random.between(1, 24 * KiB);
    writeRandomFile(join(root, folder, name), size, `${seed}/${i}`);
  }
  return count;
}

/** All files below a folder: path relative to it → path on this machine. */
export function filesBelow(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) visit(path);
      else found.set(relative(root, path), path);
    }
  };
  if (existsSync(root)) visit(root);
  return found;
}

/** What `b3sum` prints of each file: the witness that is not our own code. */
export async function b3sum(paths: readonly string[]): Promise<string[]> {
  const run = promisify(execFile);
  const hashes: string[] = [];
  for (let at = 0; at < paths.length; at += 500) {
    const some = paths.slice(at, at + 500);
    const { stdout } = await run('b3sum', ['--no-names', '--', ...some], { maxBuffer: 16 * MiB });
    const lines = stdout.trimEnd().split('\n');
    if (lines.length !== some.length) throw new Error(`b3sum printed ${lines.length} lines for ${some.length} files`);
    hashes.push(...lines);
  }
  return hashes;
}

/**
 * What was picked: for each file or folder its path as the server should know it → its hash by
 * `b3sum`. A folder `x` brings `x/…`. Names are compared as composed (NFC) text, as people do.
 */
export async function hashesOf(picked: readonly string[]): Promise<Map<string, string>> {
  const names: string[] = [];
  const paths: string[] = [];
  for (const path of picked) {
    if (statSync(path).isDirectory()) {
      for (const [below, file] of filesBelow(path)) {
        names.push(`${basename(path)}/${below}`.normalize('NFC'));
        paths.push(file);
      }
    } else {
      names.push(basename(path).normalize('NFC'));
      paths.push(path);
    }
  }
  const hashes = await b3sum(paths);
  const found = new Map(names.map((name, i) => [name, hashes[i]!]));
  if (found.size !== names.length) throw new Error('two picked files have the same name');
  return found;
}

/** What lies in a folder: relative path → hash by `b3sum`. */
export async function hashesBelow(root: string): Promise<Map<string, string>> {
  const found = [...filesBelow(root)];
  const hashes = await b3sum(found.map(([, path]) => path));
  return new Map(found.map(([name], i) => [name.normalize('NFC'), hashes[i]!]));
}
