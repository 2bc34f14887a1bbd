// Cutting inputs into batches and joining the outputs, for any library.

const size = (shape) => shape.reduce((a, b) => a * b, 1);

function rowsOf(inputs) {
  const counts = new Set(Object.values(inputs).map(({shape}) => shape[0]));
  if (counts.size !== 1 || counts.has(undefined)) {
    throw new Error(`the inputs' first dimensions differ: ${[...counts]}`);
  }
  return [...counts][0];
}

function cut({dtype, shape, data}, start, stop) {
  const row = size(shape.slice(1));
  const part = dtype === 'string' ? data.slice(start * row, stop * row) : data.subarray(start * row, stop * row);
  return {dtype, shape: [stop - start, ...shape.slice(1)], data: part};
}

function join(name, parts) {
  if (parts.length === 1) return parts[0];
  const [first] = parts;
  for (const part of parts) {
    if (part.dtype !== first.dtype || part.shape.length === 0 ||
        String(part.shape.slice(1)) !== String(first.shape.slice(1))) {
      throw new Error(`output '${name}' cannot be joined over batches: ${first.dtype} [${first.shape}] and ` +
        `${part.dtype} [${part.shape}]`);
    }
  }
  const shape = [parts.reduce((sum, part) => sum + part.shape[0], 0), ...first.shape.slice(1)];
  if (first.dtype === 'string') return {dtype: first.dtype, shape, data: parts.flatMap((part) => part.data)};
  const data = new first.data.constructor(size(shape));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return {dtype: first.dtype, shape, data};
}

/**
 * Run all rows of `inputs` in batches, in order, and join every output by name.
 *
 * `step(inputs)` runs one batch and resolves to outputs whose data it no longer owns.
 */
export async function inBatches(step, inputs, batch) {
  const rows = rowsOf(inputs);
  const parts = {};
  for (let start = 0; start < rows; start += batch) {
    const stop = Math.min(rows, start + batch);
    const outputs = await step(
        Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, cut(value, start, stop)])));
    for (const [name, value] of Object.entries(outputs)) (parts[name] ??= []).push(value);
  }
  return Object.fromEntries(Object.entries(parts).map(([name, list]) => [name, join(name, list)]));
}
