// Tensors as {dtype, shape, data}: between golden samples, people's JSON and the runtimes, which take float32, int32, bool
// and strings (as UTF-8 bytes), as adapters/wire.mjs has them.

const RUNTIME = {float16: 'float32', float64: 'float32', int8: 'int32', int16: 'int32', int64: 'int32', uint8: 'int32',
  uint16: 'int32', uint32: 'int32', uint64: 'int32'};
const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

export const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** The same values as runtimes take them. Throws where int32 cannot hold an integer. */
export function forRuntime({dtype, shape, data}) {
  const wanted = RUNTIME[dtype] ?? dtype;
  if (wanted === 'string') {
    const encoder = new TextEncoder();
    return {dtype: wanted, shape, data: data.map((item) => typeof item === 'string' ? encoder.encode(item) : item)};
  }
  if (data instanceof ARRAYS[wanted]) return {dtype: wanted, shape, data};
  const values = ARRAYS[wanted].from(data, Number);
  if (wanted === 'int32' && values.some((value, at) => value !== Number(data[at]))) {
    throw new Error('an integer is larger than browsers\' runtimes hold (int32)');
  }
  return {dtype: wanted, shape, data: values};
}

export const forRuntimes = (inputs) =>
  Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, forRuntime(tensor)]));

/** Nested lists of a tensor, for people to edit. */
export function toNested({dtype, shape, data}) {
  const plain = Array.from(data, (value) => dtype === 'bool' ? Boolean(value) : dtype === 'string' ?
    (value instanceof Uint8Array ? new TextDecoder().decode(value) : value) : typeof value === 'bigint' ? Number(value) :
    dtype === 'float32' ? Number(value.toPrecision(7)) : value);
  let nested = plain;
  for (const length of shape.slice(1).reverse()) {
    nested = Array.from({length: nested.length / (length || 1)}, (_, at) => nested.slice(at * length, (at + 1) * length));
  }
  return shape.length ? nested : plain[0];
}

/** A tensor from nested lists, for an input of a signature {name, dtype, shape}. Throws with what is wrong, and where. */
export function fromNested(value, {name, dtype, shape}) {
  const found = [];
  for (let part = value; Array.isArray(part); part = part[0]) found.push(part.length);
  if (found.length !== shape.length || shape.some((length, at) => length !== null && length !== found[at])) {
    throw new Error(`'${name}' has shape [${found}], the model takes [${shape.map((length) => length ?? 'any')}]`);
  }
  const flat = [];
  const walk = (part, depth) => {
    if (depth === found.length) {
      flat.push(scalar(part, name, dtype));
      return;
    }
    if (!Array.isArray(part) || part.length !== found[depth]) throw new Error(`'${name}' has rows of different lengths`);
    for (const item of part) walk(item, depth + 1);
  };
  walk(value, 0);
  return forRuntime({dtype, shape: found, data: flat});
}

function scalar(value, name, dtype) {
  if (dtype === 'string') {
    if (typeof value !== 'string') throw new Error(`'${name}' takes text, not ${JSON.stringify(value)}`);
    return value;
  }
  if (dtype === 'bool') {
    if (typeof value !== 'boolean') throw new Error(`'${name}' takes true and false, not ${JSON.stringify(value)}`);
    return Number(value);
  }
  if (typeof value !== 'number') throw new Error(`'${name}' takes numbers, not ${JSON.stringify(value)}`);
  if (dtype.includes('int') && !Number.isInteger(value)) throw new Error(`'${name}' takes whole numbers, not ${value}`);
  return value;
}
