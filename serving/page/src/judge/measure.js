// Errors in units in the last place (ULP) of the output's own scale: pipeline/parity/measure.py, for browsers.

const FRACTION_BITS = 23;  // of a float32 significand, behind the point

/** Spacing of float32 numbers at a magnitude. */
export const ulp = (scale) => 2 ** (Math.floor(Math.log2(scale)) - FRACTION_BITS);

/**
 * Largest error of each row in ULP of its scale.
 *
 * Positions where the exact value is not finite are left out; a value that is not finite elsewhere counts as infinite.
 */
export function ulpErrors(actual, exact, scales) {
  const rows = exact.shape[0];
  const width = rows ? exact.data.length / rows : 0;
  return Float64Array.from({length: rows}, (_, row) => {
    let largest = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      if (!Number.isFinite(exact.data[at])) continue;
      const error = Math.abs(actual.data[at] - exact.data[at]);
      largest = Math.max(largest, Number.isFinite(error) ? error : Infinity);
    }
    return largest / ulp(scales[row]);
  });
}

/** Largest difference where both can be compared. */
export function maxAbs(actual, exact) {
  let largest = 0;
  for (let at = 0; at < exact.data.length; at++) {
    const error = Math.abs(actual.data[at] - exact.data[at]);
    if (error > largest) largest = error;  // false for NaN
  }
  return largest;
}

export const maximum = (values) => values.reduce((a, b) => Math.max(a, b), 0);

/** Index of the largest value, the first of equals; NaN counts as the largest, as in NumPy. */
export function argmax(values) {
  let best = 0;
  for (let at = 0; at < values.length; at++) {
    if (Number.isNaN(values[at])) return at;
    if (values[at] > values[best]) best = at;
  }
  return best;
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
