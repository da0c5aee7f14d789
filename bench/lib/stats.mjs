// Medians, and numbers as people read them.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The values of one field in all runs that have it. */
export const values = (runs, field) => (runs ?? []).map((run) => run[field]).filter((value) => value !== undefined);

/** Median of a field; `undefined` if no run has it. */
export const middle = (runs, field) => (values(runs, field).length ? median(values(runs, field)) : undefined);

/** Three digits that count, and no more than are there; of what it has said itself it says the same. */
export function digits(value) {
  if (value === 0) return '0';
  // As it is rounded: 9.996 is 10.0, not 10.00.
  const size = Math.abs(Number(value.toPrecision(3)));
  if (size >= 100) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** `1.23 (1.10–1.40)`: median, least and most. */
export function spread(list) {
  if (!list.length) return '–';
  const [least, most] = [Math.min(...list), Math.max(...list)];
  return list.length > 1 ? `${digits(median(list))} (${digits(least)}–${digits(most)})` : digits(list[0]);
}
