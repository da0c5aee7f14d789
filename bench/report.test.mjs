// node --test bench: what a job says stays when others are measured, on a machine that has no results of its own, too.

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { report } from './report.mjs';

const here = import.meta.dirname;

/** What is in this repository, in a folder of its own. */
function copied(t) {
  const folder = mkdtempSync(join(tmpdir(), 'hoist-report-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const readme = join(folder, 'README.md');
  cpSync(join(here, '../README.md'), readme);
  for (const name of ['RESULTS.md', 'chart.svg']) cpSync(join(here, name), join(folder, name));
  mkdirSync(join(folder, 'results'));
  return { folder, readme };
}

const read = ({ folder }) => Object.fromEntries(['README.md', 'RESULTS.md', 'chart.svg'].map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const sections = (text) => text.split(/^(?=## )/m);

test('without any results all stays as it is', async (t) => {
  const where = copied(t);
  await report(where);
  const once = read(where);
  deepEqual(once['RESULTS.md'], readFileSync(join(here, 'RESULTS.md'), 'utf8'));
  deepEqual(once['README.md'], readFileSync(join(here, '../README.md'), 'utf8'));
  await report(where);
  deepEqual(read(where), once);
});

test('one job is told anew, and all others as they were', async (t) => {
  const where = copied(t);
  await report(where);
  const before = read(where);
  const machine = { date: '2001-02-03', commit: 'abc', cpu: '1 × CPU', memory: '2 GiB', kernel: '1.2' };
  // Misses both of its goals.
  const runs = [{ creates: 99, present: 999 }];
  writeFileSync(join(where.folder, 'results/asks.json'), JSON.stringify({ machine, versions: { hoist: '9.9' }, runs: 1, results: { tmpfs: { hoist: runs } } }));
  await report(where);
  const after = read(where);
  const changed = sections(after['RESULTS.md']).filter((section, at) => section !== sections(before['RESULTS.md'])[at]);
  equal(changed.length, 2, 'the sum of goals, and the section');
  const goals = (text) => Number(text.match(/^Goals reached: (\d+)/m)[1]);
  equal(goals(after['RESULTS.md']), goals(before['RESULTS.md']) - 2);
  notEqual(changed[1].indexOf('1 repetitions, 2001-02-03, 1 × CPU, 2 GiB, Linux 1.2, at abc; hoist 9.9.'), -1);
  // It is in neither.
  equal(after['chart.svg'], before['chart.svg']);
  equal(after['README.md'], before['README.md']);
});
