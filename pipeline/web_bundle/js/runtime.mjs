// What a bundle is at run time: files fetched and checked, a backend started, a plan run.

import {ENGINE} from '@tensorflow/tfjs-core/dist/engine.js';

import './platform.mjs';
import {alive, begin, describe} from 'isomer:backend';
import {facts} from 'isomer:facts';
import {registerAll} from 'isomer:kernels';
import {run, table} from 'isomer:plan';

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};
export const {inputs, outputs, backend, precision, name, version} = facts;

registerAll();
let starting, users = 0;

/** Fetch a file whose content the browser holds to the hash of what was exported. */
async function fetched(file, base) {
  const url = new URL(file, base);
  const response = await fetch(url, {integrity: facts.files[file], credentials: 'same-origin'}).catch((error) => {
    throw new Error(`${url} cannot be read, or is not the file that was exported (${error.message})`);
  });
  if (!response.ok) throw new Error(`${url} cannot be read: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

async function start(base) {
  await begin((file) => fetched(file, base));
  if (!await ENGINE.setBackend(backend)) throw new Error(`this browser does not start the ${backend} backend`);
}

function half(bits) {
  const exponent = bits >> 10 & 31, fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** A weight's values, widened to what the model computes in. */
function values(buffer, [dtype, , offset, length, packed]) {
  if (!packed) return new ARRAYS[dtype](buffer, offset, length / ARRAYS[dtype].BYTES_PER_ELEMENT);
  if (packed.dtype === 'float16') return Float32Array.from(new Uint16Array(buffer, offset, length / 2), half);
  const codes = packed.dtype === 'uint8' ? new Uint8Array(buffer, offset, length) :
    new Uint16Array(buffer, offset, length / 2);
  const wide = (code) => code * packed.scale + packed.min;
  return ARRAYS[dtype].from(codes, dtype === 'int32' ? (code) => Math.round(wide(code)) : wide);
}

function tensorOf(name, {dtype, shape}, given) {
  if (given === undefined || given === null) throw new Error(`there is no input '${name}'`);
  const Wanted = ARRAYS[dtype];
  let data = given.data ?? given;
  if (!(data instanceof Wanted)) data = Wanted.from(data);
  const known = shape.reduce((a, b) => a * (b ?? 1), 1), open = shape.filter((size) => size === null).length;
  const sizes = given.shape ?? (open > 1 ? null : shape.map((size) => size ?? data.length / known));
  if (!sizes) throw new Error(`'${name}' has ${open} dynamic dimensions: give {data, shape}`);
  const fits = sizes.length === shape.length && sizes.every((size, at) => Number.isInteger(size) && size >= 0 &&
    (shape[at] === null || shape[at] === size)) && sizes.reduce((a, b) => a * b, 1) === data.length;
  if (!fits) throw new Error(`'${name}' is [${shape.map((size) => size ?? '?')}], not ${data.length} values as [${sizes}]`);
  return ENGINE.makeTensor(data, [...sizes], dtype);
}

/** See docs/web.md. */
export async function load({base = import.meta.url} = {}) {
  const [buffer] = await Promise.all([fetched('weights.bin', base), starting ??= start(base).catch((error) => {
    starting = undefined;
    throw error;
  })]);
  const weights = table.map((row) => ENGINE.makeTensor(values(buffer, row), row[1], row[0]));
  let open = true;
  users++;

  async function predict(given) {
    if (!open) throw new Error('the model was disposed of');
    const strange = Object.keys(given).find((each) => !(each in inputs));
    if (strange !== undefined) throw new Error(`there is no input '${strange}' but ${Object.keys(inputs)}`);
    const fed = [], made = [];
    try {
      const x = {};
      for (const each of Object.keys(inputs)) fed.push(x[each] = tensorOf(each, inputs[each], given[each]));
      const y = await run(weights, x);
      made.push(...Object.values(y).filter((tensor) => !fed.includes(tensor) && !weights.includes(tensor)));
      const results = {};
      for (const each of Object.keys(outputs)) {
        const {dtype, shape} = y[each];
        results[each] = {dtype, shape: [...shape], data: (await y[each].data()).slice()};
      }
      if (!alive()) throw new Error(`the ${backend} device was lost`);
      return results;
    } finally {
      for (const tensor of [...fed, ...made]) if (!tensor.isDisposed) tensor.dispose();
    }
  }

  function dispose() {
    if (!open) return;
    open = false;
    weights.forEach((tensor) => tensor.dispose());
    if (--users === 0) {  // the next load() starts afresh, also after a lost device
      ENGINE.removeBackend(backend);
      starting = undefined;
    }
  }

  const environment = () => ({tfjs: version, backend: ENGINE.backendName, ...describe(), tensors: ENGINE.memory().numTensors});
  return {predict, environment, dispose};
}
