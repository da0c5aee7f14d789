// Bars of the first column of each job that names a chart, as an SVG that reads well on light and dark.

import { digits } from './stats.mjs';

const WIDTH = 860;
const LABEL = 230;
const BAR = 16;
const GAP = 6;
const HEAD = 34;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');

function panel({ job, keys, value, first }, top) {
  const bars = keys
    .filter((key) => !job.contestants[key].isHidden)
    .map((key) => ({ key, title: job.contestants[key].title, is: value(key) }))
    .filter(({ is }) => is !== undefined);
  const most = Math.max(...bars.map(({ is }) => is));
  const better = job.columns[first].isSpeed ? 'more is better' : 'less is better';
  const rows = bars.map(({ key, title, is }, at) => {
    const y = top + HEAD + at * (BAR + GAP);
    const width = Math.max(2, ((WIDTH - LABEL - 90) * is) / most);
    return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escape(title)}</text>
<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" class="${key.startsWith('hoist') ? 'ours' : 'theirs'}"/>
<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 12}">${digits(is)}</text>`;
  });
  const text = `<text x="0" y="${top + 18}" class="title">${escape(job.title)}</text><text x="${WIDTH}" y="${top + 18}" text-anchor="end" class="unit">${first}, ${better}</text>\n${rows.join('\n')}`;
  return { text, bottom: top + HEAD + bars.length * (BAR + GAP) + 14 };
}

export function chart(jobs) {
  let top = 0;
  const panels = [];
  for (const job of jobs.filter(({ job }) => job.isCharted)) {
    const { text, bottom } = panel(job, top);
    panels.push(text);
    top = bottom;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="Hoist and its peers, measured side by side">
<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 14px; fill: #1f2328 }
.ours { fill: #0969da } .theirs { fill: #afb8c1 }
@media (prefers-color-scheme: dark) { text { fill: #9198a1 } .title { fill: #f0f6fc } .ours { fill: #4493f8 } .theirs { fill: #545d68 } }
</style>
${panels.join('\n')}
</svg>
`;
}
