// What was measured on, and with what.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The first number with a dot in it that a program prints of itself. */
export function versionOf(command, args = ['--version']) {
  try {
    const printed = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', command, ...args], { encoding: 'utf8' });
    return printed.match(/\d+(\.\d+)+/)?.[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

export const packageVersion = (name) => JSON.parse(readFileSync(join(root, 'bench/node_modules', name, 'package.json'), 'utf8')).version;

const commit = () => {
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? ' and changes' : '');
  } catch {
    return 'unknown';
  }
};

export const machine = () => ({
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  kernel: release(),
});
