// What the device's arithmetic really is, found by computing on it. Libraries' own answers are not evidence:
// TF.js' floatPrecision() says 16 on adapters that compute in float32.

/** Rows of the probe: so many that no library hands the work to the CPU (TF.js WebGL does below 128 elements). */
export const ROWS = 4096;

const powers = (first) => Array.from({length: ROWS}, (_, i) => 2 ** -(first + (i % 32)));
const beside = (column, other) => Float32Array.from(column.flatMap((value) => [value, other]));

/**
 * What the probe computes with: float32 [ROWS, 2] each.
 *
 * sums = one + small, whose first column should be 1 + 2^-(i + 1); products = sums x [[1], [0]], the same again as
 * [ROWS, 1]; subnormals = tiny * one, whose first column goes down to 2^-149.
 */
export const PROBE = {
  one: beside(powers(0).fill(1), 1),
  small: beside(powers(1), -1),
  tiny: beside(powers(126), 0),
};

// How many significand bits (the implicit one included) survive, where result[i * stride] should be 1 + 2^-(i + 1).
function bits(result, stride) {
  let last = 0;
  while (last < 31) {
    const value = result[last * stride];
    if (value !== Math.fround(1 + 2 ** -(last + 1)) || value === 1) break;
    last++;
  }
  return last + 1;
}

/**
 * {float_bits, flushes_subnormals} from the probe's three results.
 *
 * float_bits is the number of significand bits that survive storage, an element-wise addition and a matrix product, so
 * that the unit roundoff is 2^-float_bits (24: float32; 11: float16 or TF32; 8: bfloat16).
 */
export function readProbe({sums, products, subnormals}) {
  return {float_bits: Math.min(bits(sums, 2), bits(products, 1)), flushes_subnormals: subnormals[2] === 0};
}

/** The probe on a TF.js backend. */
export async function probeTfjs(tf) {
  const tensors = tf.tidy(() => {
    const [one, small, tiny] = Object.values(PROBE).map((values) => tf.tensor2d(values, [ROWS, 2]));
    const sums = tf.add(one, small);
    return [sums, tf.matMul(sums, tf.tensor2d([1, 0], [2, 1])), tf.mul(tiny, one)];
  });
  try {
    const [sums, products, subnormals] = await Promise.all(tensors.map((tensor) => tensor.data()));
    return readProbe({sums, products, subnormals});
  } finally {
    tf.dispose(tensors);
  }
}
