// What is sent, and whether what is stored equals it.

import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** In memory, so that reading them costs everybody the same. */
const HOME = '/dev/shm';
const BLOCK = Buffer.alloc(1 << 20);

/** The name of a file of a source, as `crates/bench` has it. */
export const nameOf = (number) => `${String(Math.floor(number / 1000)).padStart(3, '0')}/${String(number).padStart(6, '0')}.bin`;

/** So many files of one size with bytes that no two share; the same in each run. */
export function makeSource(files, size) {
  const folder = mkdtempSync(join(HOME, 'hoist-source-'));
  const paths = [];
  for (let number = 0; number < files; number += 1) {
    const path = join(folder, nameOf(number));
    if (number % 1000 === 0) mkdirSync(join(path, '..'));
    const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16).fill(String(number).padStart(16, '0')));
    const file = openSync(path, 'w');
    for (let left = size; left > 0; left -= BLOCK.length) writeSync(file, bytes.update(BLOCK.subarray(0, Math.min(left, BLOCK.length))));
    closeSync(file);
    paths.push(path);
  }
  let hashes;
  return {
    folder,
    files,
    size,
    paths,
    get hashes() {
      return (hashes ??= hashesOf(paths));
    },
    get joined() {
      return joinedHash(paths);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const b3sum = (args, options) => execFileSync('b3sum', ['--no-names', ...args], { encoding: 'utf8', maxBuffer: 1 << 28, ...options });

function hashesOf(paths) {
  const hashes = [];
  for (let at = 0; at < paths.length; at += 1000) hashes.push(...b3sum(paths.slice(at, at + 1000)).trim().split('\n'));
  return hashes.sort().join('\n');
}

const joinedHash = (paths) => execFileSync('sh', ['-c', 'xargs -0 cat | b3sum --no-names'], { input: paths.join('\0'), encoding: 'utf8' }).trim();

/** All files below a folder, but those that the peer keeps for itself. */
function filesBelow(folder, isOwn = () => false) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !isOwn(path.slice(folder.length + 1)));
}

/** Throws unless what lies in `folder` has the bytes of the source: each file, or all put together. */
export function compare(source, folder, { isOwn, parts = 'files' } = {}) {
  const stored = filesBelow(folder, isOwn).sort();
  const isEqual = parts === 'joined' ? joinedHash(stored) === source.joined : stored.length === source.files && hashesOf(stored) === source.hashes;
  if (isEqual) return;
  const bytes = stored.reduce((sum, path) => sum + statSync(path).size, 0);
  throw new Error(`what is stored is not what was sent: ${stored.length} files, ${bytes} bytes of ${source.files * source.size}`);
}

/** So much memory is free ahead of who fills the rest. */
const AHEAD = 512 << 20;
const FEED_MS = 10;

/**
 * Touches so much memory in a folder in memory, and lets go of it as others fill that folder: what a virtual
 * machine sees for the first time is dear, and so is what lies free for two seconds where the host takes
 * that back. Without it a slower contestant would pay once more for being slow. Returns what ends it.
 */
export function warm(folder, bytes) {
  const path = join(folder, 'warm');
  const file = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= BLOCK.length) writeSync(file, BLOCK, 0, Math.min(left, BLOCK.length));
  closeSync(file);
  const used = () => {
    const { blocks, bfree, bsize } = statfsSync(folder);
    return (blocks - bfree) * bsize;
  };
  let kept = bytes;
  const others = used() - kept;
  const feed = () => {
    const filled = used() - kept - others;
    const wanted = Math.min(kept, Math.max(0, bytes - AHEAD - filled));
    if (wanted < kept) truncateSync(path, (kept = wanted));
  };
  feed();
  const timer = setInterval(feed, FEED_MS);
  return () => {
    clearInterval(timer);
    rmSync(path);
  };
}
