// RESULTS.md, chart.svg and a table of the README: of what results/*.json has, and for all else of what RESULTS.md had.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chart } from './lib/chart.mjs';
import { kept, whereOf } from './lib/kept.mjs';
import { digits, median, spread } from './lib/stats.mjs';

const here = import.meta.dirname;
/** The order in which people read them. */
const ORDER = [
  ...['big', 'small', 'many64', 'slow1000', 'asks', 'million'],
  ...['browser-1gib', 'browser-20x20', 'browser-1000', 'browser-5000', 'browser-add', 'browser-load'],
  ...['lines-20', 'lines-100', 'lines-1000'],
];
const PLACES = { tmpfs: 'in memory (tmpfs)', disk: 'on disk' };

const good = (runs) => (runs ?? []).filter((run) => !run.failed);

/** Everything that is told of one job; `undefined` if there is nothing. `before` is the RESULTS.md that was. */
async function read(name, folder, before) {
  const { default: job } = await import(`./jobs/${name}.mjs`);
  const file = join(folder, 'results', `${name}.json`);
  if (!existsSync(file)) return kept(name, job, before, PLACES);
  const { machine, ...told } = JSON.parse(readFileSync(file, 'utf8'));
  Object.assign(told, { date: machine.date, commit: machine.commit, where: whereOf(machine) });
  const list = (place, key, column) => good(told.results[place]?.[key]).map(job.columns[column].of).filter(Number.isFinite);
  const value = (place, key, column) => (list(place, key, column).length ? median(list(place, key, column)) : undefined);
  const first = Object.keys(job.columns)[0];
  /** Of two medians of the first column, or of another. */
  const ratio = (place, one, other, column = first) => value(place, one, column) / value(place, other, column);
  const one = { name, told, job, list, value, ratio, first };
  return { ...one, text: section(one), goals: goals(one) };
}

const isReached = ({ is, least, most }) => (least === undefined || is >= least) && (most === undefined || is <= most);

function table({ told, job, list, ratio, first }, place) {
  const columns = Object.keys(job.columns);
  const measured = Object.keys(told.results[place]).filter((key) => job.contestants[key]);
  const hasRatio = job.measure && measured.includes(job.measure);
  const head = ['', ...columns.slice(0, 1), ...(hasRatio ? [`× ${job.contestants[job.measure].title}`] : []), ...columns.slice(1)];
  const rows = measured.map((key) => {
    const runs = told.results[place][key];
    const failed = runs.filter((run) => run.failed);
    const title = `${job.contestants[key].title}${runs.length < told.runs ? ` (${runs.length} run)` : ''}`;
    if (failed.length === runs.length) return [title, failed[0].failed, ...head.slice(2).map(() => '')];
    const cells = columns.map((column) => spread(list(place, key, column)));
    const share = hasRatio ? [Number.isFinite(ratio(place, key, job.measure)) ? digits(ratio(place, key, job.measure)) : '–'] : [];
    return [title, cells[0], ...share, ...cells.slice(1)];
  });
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

function goals({ job, value, ratio, list }) {
  const all = job.goals?.({ value, ratio, list }).filter(({ is }) => Number.isFinite(is)) ?? [];
  return all.map((goal) => ({ ...goal, isReached: isReached(goal) }));
}

/** `why`: what stands in the way and what was tried, told of a goal that is not reached. */
const goalLine = ({ goal, is, isAim, why, isReached: reached }) =>
  `- ${reached ? '**reached**' : '**not reached**'}: ${goal}${isAim ? ' (aim)' : ''}: ${digits(is)}${why && !reached ? `. ${why}` : ''}`;

function section(read) {
  const { told, job } = read;
  const versions = Object.entries(told.versions).map(([peer, version]) => `${peer} ${version}`);
  const tables = Object.keys(told.results).map((place) => `${job.places.length > 1 || place === 'disk' ? `${PLACES[place]}:\n\n` : ''}${table(read, place)}`);
  const lines = goals(read).map(goalLine).join('\n');
  const notes = typeof job.notes === 'function' ? job.notes(told) : job.notes;
  return `## ${job.title}

\`make bench JOB=${read.name}\`, ${told.runs} repetitions, ${told.date}, ${told.where}, at ${told.commit}; ${versions.join(', ')}.

${tables.join('\n\n')}
${lines ? `\n${lines}\n` : ''}${notes ? `\n${notes.trim()}\n` : ''}`;
}

/** Who stands in a job for comparison only: no server and no uploader that anybody would use. */
const NO_PEERS = ['sink', 'slices', 'packs', 'empty'];

/** What the README tells of a job: ours, what it is held against, and the best of the others. */
function headline({ job, told, value, first }) {
  const place = Object.keys(told.results)[0];
  const cell = (key) => `${job.contestants[key].title}: ${digits(value(place, key, first))}`;
  const isOther = (key) => key !== job.measure && !key.startsWith('hoist') && !NO_PEERS.includes(key) && !job.contestants[key].isHidden;
  const others = Object.keys(job.contestants).filter((key) => isOther(key) && value(place, key, first) !== undefined);
  const sign = job.columns[first].isSpeed ? -1 : 1;
  const [best] = others.sort((one, other) => sign * (value(place, one, first) - value(place, other, first)));
  return `| ${job.title}, ${first} | ${digits(value(place, 'hoist', first))} | ${cell(job.measure)} | ${best ? cell(best) : '–'} |`;
}

/** Puts the lines of the jobs that are told between the marks of the README. */
function intoReadme(file, jobs) {
  const text = readFileSync(file, 'utf8');
  const [open, close] = ['<!-- by make bench -->\n', '<!-- end -->'];
  const [from, to] = [text.indexOf(open) + open.length, text.indexOf(close)];
  const shown = jobs.filter(({ job }) => job.isTold);
  const { where, date } = shown.at(-1).told;
  const runs = Math.min(...shown.map(({ told }) => told.runs));
  const lines = ['| | Hoist, each byte verified | what it is held against | the best of its peers |', '| --- | ---: | ---: | ---: |', ...shown.map(headline)];
  const said = `${where}, ${date}, in memory and over loopback, medians of ${runs} and more:\n\n${lines.join('\n')}\n`;
  writeFileSync(file, text.slice(0, from) + said + text.slice(to));
}

/** Writes what is in `folder`, and the table of `readme`. */
export async function report({ folder = here, readme = join(here, '../README.md') } = {}) {
  const results = join(folder, 'RESULTS.md');
  const before = existsSync(results) ? readFileSync(results, 'utf8') : '';
  const jobs = (await Promise.all(ORDER.map((name) => read(name, folder, before)))).filter(Boolean);
  const all = jobs.flatMap(({ goals }) => goals);
  const count = (list) => `${list.filter((goal) => goal.isReached).length} of ${list.length}`;
  const text = `# Measured

Written by \`make bench\`; not by hand. Client and server on the same cores, and but for the
shaped lines everything over loopback without TLS. Median (least–most); all contestants of a job take turns, each with a fresh server
and an empty folder (memory is warmed before, and from 3bb4c7d on kept warm until the folder is filled), and what is stored is compared with what was sent. Hoist verifies the BLAKE3 of each chunk and publishes each file under its name; the peers verify nothing and never sync,
so \`process\` stands beside them, and \`power\`, the default, below it. A job that is not run keeps what it had.

Goals reached: ${count(all.filter((goal) => !goal.isAim))}; aims: ${count(all.filter((goal) => goal.isAim))}.

${jobs.map(({ text }) => text).join('\n')}`;
  writeFileSync(results, text);
  writeFileSync(join(folder, 'chart.svg'), chart(jobs));
  if (jobs.some(({ job }) => job.isTold)) intoReadme(readme, jobs);
}

if (process.argv[1] === import.meta.filename) await report();
