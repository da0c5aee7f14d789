// A job as RESULTS.md tells it: what is not measured again stays, on every machine.

/** `2 × CPU, 24 GiB, Linux 6.1`. */
export const whereOf = ({ cpu, memory, kernel }) => `${cpu}, ${memory}, Linux ${kernel}`;

/** The number that a cell begins with: the median. `undefined` if it is none. */
function numberOf(cell = '') {
  const median = cell.split(' (')[0].replace(/\s/g, '');
  return median && Number.isFinite(Number(median)) ? Number(median) : undefined;
}

const cellsOf = (line) => line.slice(1, line.lastIndexOf('|')).split('|').map((cell) => cell.trim());

/** For each place and contestant, its row by column. `places`: what stands above the table of each. */
function rowsOf(section, job, places) {
  const rows = {};
  let place = job.places[0];
  let head;
  for (const line of section.split('\n')) {
    const named = Object.keys(places).find((key) => line === `${places[key]}:`);
    if (named) place = named;
    if (!line.startsWith('|')) head = undefined;
    else if (!head) head = cellsOf(line);
    else if (!line.startsWith('| ---')) {
      const [title, ...cells] = cellsOf(line);
      const isOf = ([, contestant]) => title.replace(/ \(\d+ run\)$/, '') === contestant.title;
      const [key] = Object.entries(job.contestants).find(isOf) ?? [];
      if (!key) throw new Error(`nobody in ${job.title} is called ${title}`);
      (rows[place] ??= {})[key] = Object.fromEntries(cells.map((cell, at) => [head[at + 1], cell]));
    }
  }
  return rows;
}

function goalsOf(section) {
  const lines = section.matchAll(/^- \*\*(not reached|reached)\*\*: (.*)$/gm);
  return [...lines].map(([, word, text]) => ({ isReached: word === 'reached', isAim: text.includes(' (aim): ') }));
}

/**
 * `undefined` if `text` has nothing of it.
 *
 * Throws what it cannot read: what is not understood would be lost.
 */
export function kept(name, job, text, places) {
  const section = text.split(/^(?=## )/m).find((each) => each.includes(`\`make bench JOB=${name}\``));
  if (!section) return undefined;
  const told = section.match(/, (\d+) repetitions, (\S+), (.+, Linux \S+), at .+; /);
  if (!told) throw new Error(`what RESULTS.md says of ${name} does not say when it was measured, and on what`);
  const [, runs, date, where] = told;
  // What is drawn and headlined is the first column of the first table.
  const [rows] = Object.values(rowsOf(section, job, places));
  const first = Object.keys(job.columns)[0];
  const value = (key) => numberOf(rows[key]?.[first]);
  return { job, first, keys: Object.keys(rows), value, runs: Number(runs), date, where, text: `${section.trimEnd()}\n`, goals: goalsOf(section) };
}
