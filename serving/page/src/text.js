// Numbers as people read them.

const UNITS = ['B', 'kB', 'MB', 'GB'];

export const count = (value) => value.toLocaleString('en');

export const percent = (value) => {
  const hundredths = value * 100;
  return `${hundredths >= 99.95 || hundredths === 0 ? hundredths.toFixed(0) : hundredths.toFixed(1)} %`;
};

export function bytes(value) {
  let unit = 0;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${unit ? value.toPrecision(3) : value} ${UNITS[unit]}`;
}

export const milliseconds = (seconds) => {
  const value = seconds * 1000;
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
};

/** Like 3.1e-7. */
export const tiny = (value) => value === 0 ? '0' : value >= 1e-3 && value < 1e4 ? String(Number(value.toPrecision(2))) :
  value.toExponential(1);

export const short = (value) => Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

/** The value below which a share of the numbers lies, by the nearest rank. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

export const shape = (sizes) => sizes.map((size) => size ?? 'batch').join(' × ') || 'scalar';

/** Words in a row: "a, b and c". */
export const all = (words) => words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
