// What a job says stays when others are measured, on a machine that has no results of its own, too.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digits } from './lib/stats.mjs';
import { report } from './report.mjs';

const here = import.meta.dirname;
const NAMES = ['README.md', 'RESULTS.md', 'chart.svg'];
const MACHINE = { date: '2031-02-03', commit: 'abc', cpu: '1 × CPU', memory: '2 GiB', kernel: '1.2' };

/** What is in this repository, in a folder of its own. */
function copied(t) {
  const folder = mkdtempSync(join(tmpdir(), 'hoist-report-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of NAMES) cpSync(join(here, name === 'README.md' ? '..' : '.', name), join(folder, name));
  mkdirSync(join(folder, 'results'));
  return {
    folder,
    tell: (...measured) => report(measured, { folder, readme: join(folder, 'README.md') }),
    read: () => Object.fromEntries(NAMES.map((name) => [name, readFileSync(join(folder, name), 'utf8')])),
    measured: (name, results) => writeFileSync(join(folder, 'results', `${name}.json`), JSON.stringify({ machine: MACHINE, versions: { hoist: '9.9' }, runs: 1, results })),
  };
}

const sections = (text) => text.split(/^(?=## )/m);
const goals = (text) => Number(text.match(/^Goals reached: (\d+)/m)[1]);
const reached = (text) => [...text.matchAll(/^- \*\*reached\*\*: (?!.* \(aim\): )/gm)].length;

test('without anything measured all stays as it is in this repository', async (t) => {
  const { tell, read } = copied(t);
  const before = read();
  await tell();
  deepEqual(read(), before);
});

test('one job is told anew, and all others as they were', async (t) => {
  const { tell, read, measured } = copied(t);
  const before = read();
  // Misses both of its goals.
  measured('asks', { tmpfs: { hoist: [{ creates: 99, present: 999 }] } });
  await tell('asks');
  const after = read();
  const [old, now] = [before, after].map((files) => sections(files['RESULTS.md']));
  equal(now.length, old.length);
  const changed = now.map((_, at) => at).filter((at) => now[at] !== old[at]);
  deepEqual([changed.length, changed[0]], [2, 0], 'the sum of goals, and the section');
  ok(now[changed[1]].includes('JOB=asks`, 1 repetitions, 2031-02-03, 1 × CPU, 2 GiB, Linux 1.2, at abc; hoist 9.9.'));
  equal(goals(after['RESULTS.md']), goals(before['RESULTS.md']) - reached(old[changed[1]]));
  // It is in neither.
  deepEqual([after['chart.svg'], after['README.md']], [before['chart.svg'], before['README.md']]);
  // A newer section is not replaced by what this machine measured once.
  measured('asks', { tmpfs: { hoist: [{ creates: 1, present: 1 }] } });
  await tell();
  deepEqual(read(), after);
});

test('the README names each machine, and who failed has no number', async (t) => {
  const { tell, read, measured } = copied(t);
  measured('small', { tmpfs: { hoist: [{ files: 1, seconds: 1 }], nginx: [{ failed: 'it did not start' }] } });
  await tell('small');
  const text = read()['README.md'];
  ok(/AMD.* or .*1 × CPU|1 × CPU.* or .*AMD/.test(text), 'both machines');
  ok(text.includes('to 2031-02-03'));
  ok(/^\| Server: 10 000 files.*nginx PUT, tuned: – \|/m.test(text));
  const rowsOf = (readme) => [...readme.matchAll(/^\| (Server|Chromium): .*$/gm)].map(([row]) => row);
  equal(rowsOf(text).length, rowsOf(readFileSync(join(here, '../README.md'), 'utf8')).length);
});

test('what cannot be understood changes nothing', async (t) => {
  for (const [was, is, why] of [
    [/, 5 repetitions, \S+, .+, Linux \S+, at /, ', 5 repetitions, 2026-11-29, at ', /when it was measured/],
    ['| nginx PUT, tuned |', '| nginx PUT, newly named |', /nobody in .* is called nginx PUT, newly named/],
  ]) {
    const { folder, tell, read } = copied(t);
    writeFileSync(join(folder, 'RESULTS.md'), read()['RESULTS.md'].replace(was, is));
    const before = read();
    await rejects(tell(), why);
    deepEqual(read(), before);
  }
});

test('what stands in the way of a goal is said as its job says it', async () => {
  const text = readFileSync(join(here, 'RESULTS.md'), 'utf8');
  for (const file of readdirSync(join(here, 'jobs'))) {
    const { default: job } = await import(`./jobs/${file}`);
    const section = sections(text).find((each) => each.startsWith(`## ${job.title}\n`)) ?? '';
    const all = job.goals?.({ value: () => 1, ratio: () => 1, list: () => [1] }) ?? [];
    for (const { goal, why } of all.filter(({ why }) => why)) {
      if (section.includes(`- **not reached**: ${goal}`)) ok(section.includes(why), `${file}: ${goal}`);
    }
  }
});

test('numbers are rounded once', () => {
  for (const value of [9.996, 99.96, 0.9996, 999.6, 1.005, 0.0123, 5, 12_345.6]) equal(digits(Number(digits(value).replace(/\s/g, ''))), digits(value));
  deepEqual([9.996, 99.96, 0.9996].map(digits), ['10.0', '100', '1.00']);
});
