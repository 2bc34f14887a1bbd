// What a runtime's answers are judged against: golden/samples.npz of a bundle (exports/README.md lists its arrays).
// A tensor is {dtype, shape, data}; rows are its first dimension.

export const ZEROS = 'zeros', SUBNORMAL = 'subnormal';
export const FLOAT32_BITS = 24;  // of a significand, the implicit one included
// Beyond this (2^-7 of the output's scale) so few digits of the answer are left that agreement says nothing.
export const CEILING_ULP = 65536;

const width = ({shape}) => shape.slice(1).reduce((a, b) => a * b, 1);

/** Some rows of a tensor, in the order given. */
export function takeRows(tensor, rows) {
  const size = width(tensor);
  const shape = [rows.length, ...tensor.shape.slice(1)];
  if (Array.isArray(tensor.data)) {
    return {...tensor, shape, data: rows.flatMap((row) => tensor.data.slice(row * size, (row + 1) * size))};
  }
  const data = new tensor.data.constructor(rows.length * size);
  rows.forEach((row, at) => data.set(tensor.data.subarray(row * size, (row + 1) * size), at * size));
  return {...tensor, shape, data};
}

const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, change(v, k)]));

/** Rows with their exact answers and budgets. */
export class Evidence {
  /**
   * inputs, exact, reference: tensors by name. budgets: by name of a float output, {scales, shown, limits, outer}: one
   * number a row each; outer, of coarser arithmetic, is null for float32. labels: class numbers of the regular rows, or null. regular: how many rows are not awkward. awkward: what the
   * others are. alone: rows of a batch change each other's answers. fixed: outputs that no input reaches.
   */
  constructor({inputs, exact, reference, budgets, labels, regular, awkward, alone = false, fixed = []}) {
    Object.assign(this, {inputs, exact, reference, budgets, labels, regular, awkward, alone, fixed});
  }

  get rows() {
    return Object.values(this.inputs)[0].shape[0];
  }

  /** The evidence on some rows, in ascending order of their being regular. */
  take(rows) {
    const regular = rows.filter((row) => row < this.regular).length;
    const pick = (tensor) => takeRows(tensor, rows);
    const each = (values) => Float64Array.from(rows, (row) => values[row]);
    return new Evidence({
      ...this,
      inputs: mapped(this.inputs, pick),
      exact: mapped(this.exact, pick),
      reference: mapped(this.reference, pick),
      budgets: mapped(this.budgets, ({scales, shown, limits, outer}) =>
        ({scales: each(scales), shown: each(shown), limits: each(limits), outer: outer && each(outer)})),
      labels: this.labels && rows.slice(0, regular).map((row) => this.labels[row]),
      regular,
      awkward: rows.slice(regular).map((row) => this.awkward[row - this.regular]),
    });
  }

  /** The same for a device whose arithmetic has so many significand bits: pipeline/parity/budget.py, coarser. */
  coarser(bits) {
    return new Evidence({...this, budgets: mapped(this.budgets, (budget) => {
      const outer = budget.limits.map((limit) => limit * 2 ** (FLOAT32_BITS - bits));
      const limits = budget.limits.map((limit, row) => Math.min(outer[row], Math.max(limit, CEILING_ULP)));
      return {...budget, limits, outer};
    })});
  }

  /** Arrays of samples.npz, by name. Throws if they are none. */
  static from(arrays) {
    const under = (prefix) => Object.fromEntries(Object.entries(arrays)
        .filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]));
    const [inputs, exact, scales] = [under('input/'), under('exact/'), under('scale/')];
    if (!Object.keys(inputs).length || !Object.keys(exact).length || !arrays.regular) {
      throw new Error('golden/samples.npz holds no samples');
    }
    const [shown, limits] = [under('shown/'), under('limit/')];
    return new Evidence({
      inputs, exact, reference: under('reference/'),
      budgets: mapped(scales, (value, name) =>
        ({scales: value.data, shown: shown[name].data, limits: limits[name].data, outer: null})),
      labels: arrays.labels ? [...arrays.labels.data] : null,
      regular: Number(arrays.regular.data[0]),
      awkward: arrays.awkward ? [...arrays.awkward.data] : [],
      alone: 'alone' in arrays,
      fixed: arrays.fixed ? [...arrays.fixed.data] : [],
    });
  }
}
