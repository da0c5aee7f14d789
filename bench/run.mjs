// node run.mjs [JOB …] [RUNS]: runs jobs of bench/jobs, all contestants in turn, and writes results/JOB.json, RESULTS.md
// and chart.svg. A job that is not run keeps the results it has.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machine } from './lib/machine.mjs';
import { makeSource, warm } from './lib/source.mjs';
import { spread } from './lib/stats.mjs';
import { peers } from './peers/all.mjs';
import { report } from './report.mjs';

const here = import.meta.dirname;
const names = readdirSync(join(here, 'jobs')).map((file) => file.replace(/\.mjs$/, ''));
const given = process.argv.slice(2).filter(Boolean);
const runs = Number(given.find((word) => /^\d+$/.test(word)) ?? 5);
const wanted = given.filter((word) => !/^\d+$/.test(word));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length) {
  console.error(`no job ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(1);
}

const disk = join(here, '../target/bench');
mkdirSync(disk, { recursive: true });
const homes = { tmpfs: '/dev/shm', disk };
// Beyond what is sent: buffers of the client and the server.
const WARM = 256 << 20;

/** One run of one contestant, in a folder of its own. */
async function once(job, contestant, place, source) {
  const folder = mkdtempSync(join(homes[place], 'hoist-bench-'));
  const cool = warm('/dev/shm', (source ? source.files * source.size : 0) + WARM);
  // What goes to a disk does not fill this folder.
  if (place !== 'tmpfs') cool();
  try {
    // What others wrote must not be written back while this one is measured.
    execFileSync('sync', ['-f', disk]);
    return await contestant.run({ folder, source, place });
  } catch (error) {
    // What a peer cannot do is a result; what we cannot do is an error, too, but not one that loses the others' results.
    if (contestant.peer === 'hoist') process.exitCode = 1;
    return { failed: String(error.stderr || error.message || error).trim().split('\n').at(-1) };
  } finally {
    if (place === 'tmpfs') cool();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runJob(name) {
  const { default: job } = await import(`./jobs/${name}.mjs`);
  const source = job.source && makeSource(...job.source);
  const results = {};
  try {
    for (let repetition = 0; repetition < runs; repetition += 1) {
      for (const place of job.places) {
        const list = Object.entries(job.contestants);
        // Who goes first is another each time.
        const turned = [...list.slice(repetition % list.length), ...list.slice(0, repetition % list.length)];
        for (const [key, contestant] of turned) {
          const had = ((results[place] ??= {})[key] ??= []);
          if (contestant.isSlow && had.length > 0 && runs < 10) continue;
          const result = await once(job, contestant, place, source);
          had.push(result);
          const shown = Object.entries(job.columns).map(([column, { of }]) => `${column} ${spread([of(result)].filter(Number.isFinite))}`);
          console.log(`${name} ${repetition + 1}/${runs} ${place} ${key}: ${result.failed ?? shown.join(', ')}`);
        }
      }
    }
  } finally {
    source?.remove();
  }
  const used = [...new Set(Object.values(job.contestants).map(({ peer }) => peer))];
  const versions = Object.fromEntries(used.map((peer) => [peer, peers[peer].version()]).filter(([, version]) => version));
  mkdirSync(join(here, 'results'), { recursive: true });
  const told = { job: name, machine: machine(), versions, runs, results };
  writeFileSync(join(here, 'results', `${name}.json`), `${JSON.stringify(told, round, 1)}\n`);
}

/** Six digits are more than any clock here has. */
const round = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);

const jobs = wanted.length ? wanted : names;
for (const name of jobs) await runJob(name);
await report(jobs);
