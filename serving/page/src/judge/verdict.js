// From a runtime's outputs to a verdict and its reason: pipeline/parity/verdict.py, for browsers. Pure arithmetic.

import {CEILING_ULP} from './evidence.js';
import {argmax, maxAbs, maximum, median, ulp, ulpErrors} from './measure.js';
import {general, list} from './text.js';

const HALF_LEVEL = [512, 65536];  // error of a value rounded once to half precision, in float32 ULP

const kind = ({dtype}) => dtype.startsWith('float') ? 'f' : dtype.includes('int') ? 'i' : dtype;
const percent = (share) => `${(share * 100).toFixed(1)}%`;
const fail = (reason) => ({status: 'FAIL', reason, maxAbs: Infinity, ulp: Infinity, budget: 0, errors: []});

/** Compare by name, with strict lengths; {status, reason, maxAbs, ulp, budget, errors}. */
export function judgeOutputs(actual, {exact, reference, budgets, regular}) {
  const problem = contractProblem(actual, exact);
  if (problem) return fail(problem);
  let errors = null, worst = [-1, 0, 0], largest = 0;
  for (const [name, all] of Object.entries(exact)) {
    const value = actual[name];
    const budget = budgets[name];
    if (!budget) {
      const count = all.data.reduce((sum, truth, at) => sum + !same(value.data[at], truth), 0);
      if (count) return fail(`output '${name}' (${value.dtype}) differs in ${count} of ${all.data.length} values`);
      continue;
    }
    const required = reference[name].data;
    const truth = {...all, data: Float64Array.from(all.data, (v, at) => Number.isFinite(required[at]) ? v : NaN)};
    const shown = ulpErrors(value, truth, budget.scales);
    const broken = shown.findIndex((error) => !Number.isFinite(error));
    if (broken >= 0) return fail(`output '${name}' is not finite in row ${broken}, where TensorFlow's is`);
    const excess = shown.map((error, row) => error / budget.limits[row]);
    const row = argmax(excess);
    if (excess.length && excess[row] > worst[0]) worst = [excess[row], shown[row], budget.limits[row]];
    if (excess.length && excess[row] > 1) {
      const unclear = budget.outer !== null && shown.every((error, at) => error <= budget.outer[at]);
      return {status: unclear ? 'INCONCLUSIVE' : 'FAIL',
        reason: unclear ? `output '${name}' is off by ${percent(shown[row] / 2 ** 23)} of its scale, which arithmetic as ` +
          'coarse as this device\'s may be in this model: agreement says nothing' :
          explain(name, row, shown, budget, value, exact, regular),
        maxAbs: maxAbs(value, truth), ulp: shown[row], budget: budget.limits[row], errors: shown};
    }
    largest = Math.max(largest, maxAbs(value, truth));
    errors = errors ? errors.map((error, at) => Math.max(error, shown[at])) : shown;
  }
  return {status: 'PASS', reason: '', maxAbs: largest, ulp: worst[1], budget: worst[2], errors: errors ?? []};
}

/** Why agreement would prove nothing for this model and these inputs; empty if it proves something. */
export function inconclusive({exact, budgets, regular, fixed}) {
  for (const [name, budget] of Object.entries(budgets)) {
    if (fixed.includes(name)) continue;
    const limit = maximum(budget.limits.slice(0, regular));
    if (limit > CEILING_ULP) {
      const reference = maximum(budget.shown.slice(0, regular));
      return `TensorFlow's own float32 error in '${name}' is ${reference.toFixed(0)} ULP, ` +
        `${percent(reference / 2 ** 23)} of its scale: float32 does not determine this output`;
    }
    if (regular > 1 && spread(exact[name], regular) <= 16 * limit * ulp(maximum(budget.scales.slice(0, regular)))) {
      return `output '${name}' does not vary over the inputs, so agreement says nothing`;
    }
  }
  return '';
}

/** Rows whose top-1 differs from the oracle's, and how many of them are near-ties. */
export function labelFlips(actual, exact, {limits, scales}) {
  let flips = 0, ties = 0;
  actual.forEach((row, at) => {
    if (argmax(row) === argmax(exact[at])) return;
    flips++;
    const [second, best] = [...exact[at]].sort((a, b) => a - b).slice(-2);
    if (best - second <= 2 * limits[at] * ulp(scales[at])) ties++;
  });
  return {flips, ties};
}

function contractProblem(actual, exact) {
  const [given, wanted] = [Object.keys(actual).sort(), Object.keys(exact).sort()];
  if (String(given) !== String(wanted)) return `outputs are named ${list(given)}, expected ${list(wanted)}`;
  for (const [name, truth] of Object.entries(exact)) {
    const value = actual[name];
    if (String(value.shape) !== String(truth.shape)) {
      return `output '${name}' has shape ${list(value.shape)}, expected ${list(truth.shape)}`;
    }
    if (kind(value) !== kind(truth)) {
      return `output '${name}' is ${value.dtype}, expected ${kind(truth) === 'f' ? 'float32' : truth.dtype}`;
    }
  }
  return '';
}

function explain(name, row, shown, budget, value, exact, regular) {
  const beyond = shown.filter((error, at) => error > budget.limits[at]).length;
  const where = row < regular ? `row ${row}` : 'an awkward row';
  const text = `output '${name}' is off by ${general(shown[row], 3)} ULP in ${where}, the budget is ` +
    `${general(budget.limits[row], 3)}; ${beyond} of ${shown.length} rows are beyond it`;
  for (const [other, values] of Object.entries(exact)) {
    if (other === name || String(values.shape) !== String(value.shape)) continue;
    if (ulpErrors(value, values, budget.scales).every((error, at) => error <= budget.limits[at])) {
      return `${text}; it equals output '${other}': the outputs are swapped`;
    }
  }
  const highest = maximum(shown);
  const half = HALF_LEVEL[0] <= highest && highest <= HALF_LEVEL[1] && median(shown) <= HALF_LEVEL[1] / 16;
  return half ? `${text}; the size of float16 rounding` : text;
}

// Largest difference between two regular rows in one position.
function spread({shape, data}, regular) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  let largest = 0;
  for (let column = 0; column < size; column++) {
    let low = Infinity, high = -Infinity;
    for (let row = 0; row < regular; row++) {
      const value = data[row * size + column];
      if (Number.isNaN(value)) {  // as NumPy's ptp: NaN, which nanmax then leaves out
        low = NaN;
        break;
      }
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (high - low > largest) largest = high - low;
  }
  return largest;
}

function same(a, b) {
  if (a instanceof Uint8Array || typeof a === 'string') return words(a) === words(b);
  return Number(a) === Number(b);
}

const words = (value) => value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
