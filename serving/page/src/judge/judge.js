// One cell: a runtime on the golden rows in several batch sizes, twice; then the verdict. pipeline/parity/judge.py, for
// browsers: the same order, the same reasons, on the same outputs (tests/serving/test_page_judge.py holds both to that).

import {FLOAT32_BITS, SUBNORMAL, ZEROS, takeRows} from './evidence.js';
import {argmax} from './measure.js';
import {inconclusive, judgeOutputs, labelFlips} from './verdict.js';

const FULL_BATCH = 500;
const SMALL_BATCHES = [1, 3];
const SMALL_ROWS = 9;
const REPEAT_ROWS = 500;
const ALONE = 'Rows of one batch change each other\'s answers in this model: each was judged in a batch of its own.';

const range = (count) => Array.from({length: count}, (_, at) => at);
const only = (object, name) => name in object ? {[name]: object[name]} : {};

/** Significand bits of a device's arithmetic as its probe found them; float32's where there is no probe. */
export const floatBits = ({float_bits: bits = FLOAT32_BITS}) => Math.min(bits, FLOAT32_BITS);

/** "float32", "float16", "bfloat16", or "9-bit float". */
export const className = (bits) => ({24: 'float32', 11: 'float16', 8: 'bfloat16'})[bits] ?? `${bits}-bit float`;

/** Whether a device may compute in less than float32 and still be correct: GPUs, whose interfaces allow it. */
export const mayBeCoarse = (device) => /^(gpu|webgl|webgpu)/.test(device);

/** Judge outputs on the evidence's rows, with subnormal inputs taken for what they are or for zeros. */
export function compare(outputs, evidence) {
  const found = judgeOutputs(outputs, evidence);
  const {awkward, regular} = evidence;
  if (found.status === 'PASS' || !awkward.includes(ZEROS) || !awkward.includes(SUBNORMAL)) return found;
  const rows = range(evidence.rows);
  rows[regular + awkward.indexOf(SUBNORMAL)] = regular + awkward.indexOf(ZEROS);
  const flushed = evidence.take(rows);
  const passes = (name) => judgeOutputs(only(outputs, name), {
    exact: only(flushed.exact, name), reference: flushed.reference, budgets: only(flushed.budgets, name), regular,
  }).status === 'PASS';
  // Each output for itself: a library may run one operation in another mode than the next.
  const mixed = {exact: {}, reference: {}, budgets: {}, regular};
  for (const name of Object.keys(evidence.exact)) {
    const chosen = passes(name) ? flushed : evidence;
    for (const part of ['exact', 'reference', 'budgets']) Object.assign(mixed[part], only(chosen[part], name));
  }
  return judgeOutputs(outputs, mixed);
}

/**
 * Run and judge; resolves to a cell's part {verdict, reason, ulp_error, ...} with the certificate's names.
 *
 * infer(inputs, batch) resolves to outputs by name. dynamic: the artifact takes batches. Evidence is that of the device's
 * arithmetic (`Evidence.coarser`).
 */
export async function judgeCell({evidence, infer, dynamic}) {
  const full = dynamic && !evidence.alone ? FULL_BATCH : 1;
  const outputs = await infer(evidence.inputs, full);
  const cell = record(compare(outputs, evidence), evidence, outputs);
  cell.batches = [];
  if (cell.verdict === 'FAIL') return cell;
  const head = range(Math.min(full > 1 ? REPEAT_ROWS : SMALL_ROWS, evidence.rows));
  const again = await infer(taken(evidence.inputs, head), full);
  cell.repeat_equal = String(Object.keys(again).sort()) === String(Object.keys(outputs).sort()) &&
    Object.entries(again).every(([name, value]) => identical(value, takeRows(outputs[name], head)));
  cell.batches = [full];
  if (!cell.repeat_equal) {
    return {...cell, verdict: 'FAIL', reason: 'a second run on the same inputs gave other numbers'};
  }
  const few = evidence.take(range(Math.min(SMALL_ROWS, evidence.regular)));
  for (const batch of full > 1 ? SMALL_BATCHES : []) {
    const found = judgeOutputs(await infer(few.inputs, batch), few);
    if (found.status === 'FAIL') return {...cell, verdict: 'FAIL', reason: `in batches of ${batch}: ${found.reason}`};
    cell.batches.unshift(batch);
  }
  const reason = inconclusive(evidence);
  if (reason) return {...cell, verdict: 'INCONCLUSIVE', reason};
  return evidence.alone ? {...cell, reason: ALONE} : cell;
}

function record(found, evidence, outputs) {
  const cell = {
    verdict: found.status,
    reason: found.reason,
    max_abs_error: finite(found.maxAbs),
    ulp_error: finite(found.ulp),
    budget_ulp: finite(found.budget),
    repeat_equal: null,
    label_flips: 0,
    near_ties: 0,
  };
  const name = classifier(evidence);
  const value = name && outputs[name];
  if (!value || String(value.shape) !== String(evidence.exact[name].shape)) return cell;
  const {flips, ties} = labelFlips(scores(value, evidence.regular), scores(evidence.exact[name], evidence.regular),
      evidence.budgets[name]);
  Object.assign(cell, {label_flips: flips, near_ties: ties});
  if (flips > ties && found.status === 'PASS') {
    return {...cell, verdict: 'FAIL', reason: `${flips - ties} labels flip where the oracle is no near-tie`};
  }
  return cell;
}

/** The output that the labels are about: the first of shape [rows, classes], probabilities before others. */
export function classifier({exact, labels}) {
  if (!labels) return null;
  const classes = labels.length ? Math.max(...labels.map(Number)) + 1 : 0;
  const flat = Object.entries(exact).filter(([, {dtype, shape}]) => dtype.startsWith('float') && shape.length === 2);
  const wide = flat.filter(([, {shape}]) => shape[1] >= Math.max(classes, 2));
  for (const [name, value] of wide) {
    const sums = rowsOf(value, labels.length).map((row) => row.reduce((a, b) => a + b, 0));
    if (sums.every((sum) => Math.abs(sum - 1) <= 1e-3 + 1e-5)) return name;
  }
  if (!wide.length && classes === 2) {
    const chance = flat.find(([, {shape, data}]) => shape[1] === 1 && data.every((v) => v >= 0 && v <= 1));
    if (chance) return chance[0];
  }
  return wide[0]?.[0] ?? null;
}

// A classifier's rows; a lone chance of 1 gets that of 0 beside it.
const scores = (value, count) => rowsOf(value, count).map((row) => row.length > 1 ? row : [1 - row[0], row[0]]);

const rowsOf = ({shape, data}, count) => range(count).map((row) => data.subarray(row * shape[1], (row + 1) * shape[1]));

const taken = (inputs, rows) =>
  Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, takeRows(tensor, rows)]));

function identical(a, b) {
  if (String(a.shape) !== String(b.shape) || a.dtype !== b.dtype) return false;
  return a.data.every((value, at) => value === b.data[at] || Object.is(value, b.data[at]) ||
    (value instanceof Uint8Array && String(value) === String(b.data[at])));
}

const finite = (value) => Number.isFinite(value) ? value : null;

