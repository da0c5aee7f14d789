// node report.mjs [JOB …]: RESULTS.md from results/*.json of these jobs, and for all others from what it said before; then
// chart.svg and a table of the README from RESULTS.md.

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

const jobOf = async (name) => (await import(`./jobs/${name}.mjs`)).default;

/** What is written of a job that was measured. */
async function written(name, folder) {
  const job = await jobOf(name);
  const told = JSON.parse(readFileSync(join(folder, 'results', `${name}.json`), 'utf8'));
  const list = (place, key, column) => good(told.results[place]?.[key]).map(job.columns[column].of).filter(Number.isFinite);
  const value = (place, key, column) => (list(place, key, column).length ? median(list(place, key, column)) : undefined);
  const first = Object.keys(job.columns)[0];
  /** Of two medians of the first column, or of another. */
  const ratio = (place, one, other, column = first) => value(place, one, column) / value(place, other, column);
  return section({ name, told, job, list, value, ratio, first });
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

\`make bench JOB=${read.name}\`, ${told.runs} repetitions, ${told.machine.date}, ${whereOf(told.machine)}, at ${told.machine.commit}; ${versions.join(', ')}.

${tables.join('\n\n')}
${lines ? `\n${lines}\n` : ''}${notes ? `\n${notes.trim()}\n` : ''}`;
}

/** Who stands in a job for comparison only: no server and no uploader that anybody would use. */
const NO_PEERS = ['sink', 'slices', 'packs', 'empty'];

/** What the README tells of a job: ours, what it is held against, and the best of the others. */
function headline({ job, value, first }) {
  const said = (key) => (value(key) === undefined ? '–' : digits(value(key)));
  const cell = (key) => `${job.contestants[key].title}: ${said(key)}`;
  const isOther = (key) => key !== job.measure && !key.startsWith('hoist') && !NO_PEERS.includes(key) && !job.contestants[key].isHidden;
  const others = Object.keys(job.contestants).filter((key) => isOther(key) && value(key) !== undefined);
  const sign = job.columns[first].isSpeed ? -1 : 1;
  const [best] = others.sort((one, other) => sign * (value(one) - value(other)));
  return `| ${job.title}, ${first} | ${said('hoist')} | ${cell(job.measure)} | ${best ? cell(best) : '–'} |`;
}

/** Puts the lines of the jobs that are told between the marks of the README. */
function intoReadme(text, jobs) {
  const [open, close] = ['<!-- by make bench -->\n', '<!-- end -->'];
  const [from, to] = [text.indexOf(open) + open.length, text.indexOf(close)];
  const shown = jobs.filter(({ job }) => job.isTold);
  if (!shown.length) return text;
  // Each on the machine that it was measured on.
  const wheres = [...new Set(shown.map(({ where }) => where))].join(' or ');
  const dates = shown.map(({ date }) => date).sort();
  const when = [...new Set([dates[0], dates.at(-1)])].join(' to ');
  const runs = Math.min(...shown.map((job) => job.runs));
  const lines = ['| | Hoist (`process`), each byte verified | what it is held against | the best of its peers |', '| --- | ---: | ---: | ---: |', ...shown.map(headline)];
  const said = `${wheres}, ${when}, in memory and over loopback, medians of ${runs} and more:\n\n${lines.join('\n')}\n`;
  return text.slice(0, from) + said + text.slice(to);
}

/** Tells of the jobs `measured`, whose results are in `folder`, anew. */
export async function report(measured, { folder = here, readme = join(here, '../README.md') } = {}) {
  const file = join(folder, 'RESULTS.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const read = async (name) => kept(name, await jobOf(name), measured.includes(name) ? await written(name, folder) : before, PLACES);
  const jobs = (await Promise.all(ORDER.map(read))).filter(Boolean);
  const all = jobs.flatMap(({ goals }) => goals);
  const count = (list) => `${list.filter((goal) => goal.isReached).length} of ${list.length}`;
  const text = `# Measured

Written by \`make bench\`; not by hand. Client and server on the same cores, and but for the
shaped lines everything over loopback without TLS. Median (least–most); all contestants of a job take turns, each with a fresh server
and an empty folder (memory is warmed before, and from 3bb4c7d on kept warm until the folder is filled), and what is stored is compared with what was sent. Hoist verifies the BLAKE3 of each chunk and publishes each file under its name; the peers verify nothing and never sync,
so \`process\` stands beside them, and \`power\`, the default, below it. A job that is not run keeps what it had.

Goals reached: ${count(all.filter((goal) => !goal.isAim))}; aims: ${count(all.filter((goal) => goal.isAim))}.

${jobs.map(({ text }) => text).join('\n')}`;
  const drawn = chart(jobs);
  const inReadme = intoReadme(readFileSync(readme, 'utf8'), jobs);
  // Only now: what cannot be told leaves all as it was.
  writeFileSync(file, text);
  writeFileSync(join(folder, 'chart.svg'), drawn);
  writeFileSync(readme, inReadme);
}

if (process.argv[1] === import.meta.filename) await report(process.argv.slice(2));
