// What the device's arithmetic really is, found by computing on it. Libraries' own answers are not evidence:
// TF.js' floatPrecision() says 16 on adapters that compute in float32.

// Long enough that no backend hands the work to the CPU behind our back (TF.js WebGL does below 128 elements).
const LENGTH = 4096;

const powers = (first) => Float32Array.from({length: LENGTH}, (_, i) => 2 ** -(first + (i % 32)));

// How many significand bits (the implicit one included) survive, where result[i] should be 1 + 2^-(i + 1).
function bits(result) {
  let last = 0;
  while (last < 31 && result[last] === Math.fround(1 + 2 ** -(last + 1)) && result[last] !== 1) last++;
  return last + 1;
}

/**
 * Precision of a TF.js backend, by arithmetic on it.
 *
 * Returns {float_bits, flushes_subnormals}: float_bits is the number of significand bits that survive storage,
 * an element-wise addition and a matrix product, so that the unit roundoff is 2^-float_bits (24: float32;
 * 11: float16 or TF32; 8: bfloat16).
 */
export async function probeTfjs(tf) {
  const tensors = tf.tidy(() => {
    const one = tf.fill([LENGTH], 1);
    const small = tf.tensor1d(powers(1));
    const sums = tf.add(one, small);
    const column = tf.reshape(sums, [LENGTH, 1]);
    const products = tf.matMul(tf.concat([column, tf.zerosLike(column)], 1), tf.tensor2d([1, 0], [2, 1]));
    // 2^-127 .. 2^-149 are subnormal in float32.
    const subnormal = tf.mul(tf.tensor1d(powers(126)), one);
    return [sums, tf.reshape(products, [LENGTH]), subnormal];
  });
  try {
    const [sums, products, subnormal] = await Promise.all(tensors.map((tensor) => tensor.data()));
    return {
      float_bits: Math.min(bits(sums), bits(products)),
      flushes_subnormals: subnormal[1] === 0,
    };
  } finally {
    tf.dispose(tensors);
  }
}
