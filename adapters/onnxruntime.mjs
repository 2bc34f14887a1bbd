// ONNX Runtime on one execution provider: onnxruntime-web in pages, onnxruntime-node in Node.js.
//
// The host's onnxruntime(device) resolves to the library's module, which knows where its WebAssembly lies.

import {describeWebgpu, Presence, requestAdapter, Unsupported, withThreads} from './device.mjs';
import {PROBE, readProbe, ROWS} from './probe.mjs';
import {ONNX_PROBE} from './probe_models.mjs';

// A device's provider, exactly one: a list falls back in silence.
const DEVICES = {'cpu': 'cpu', 'wasm': 'wasm', 'wasm-threads': 'wasm', 'webgpu': 'webgpu'};

const VERBOSE = 0, ERROR = 3;
const PLACED = / placed on \[(\w+?)(?:ExecutionProvider)?\]\. Number of nodes: (\d+)/;
// What its log calls verbose (V), information (I) and warning (W), with or without colours.
const CHATTER = /^(?:\u001b\[[\d;]*m)?\S+ \S+ \[[VIW]:/;

// Even with one provider, nodes that it lacks run on the CPU. ONNX Runtime tells which, in its verbose log alone: on
// the console.error that it found when its WebAssembly started, which is therefore ours.
let nodes = null;

async function overheard(start) {
  const said = console.error;
  console.error = (...all) => {
    const text = String(all[0]);
    const found = PLACED.exec(text);
    if (found) nodes = {...nodes, [found[1]]: (nodes?.[found[1]] ?? 0) + Number(found[2])};
    if (!CHATTER.test(text)) said(...all);
  };
  try {
    return await start();
  } finally {
    console.error = said;
  }
}

function create(ort, backend, bytes, logSeverityLevel, threads = 1) {
  return ort.InferenceSession.create(bytes, {
    executionProviders: [backend], intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel,
  });
}

async function probe(ort, backend) {
  const session = await create(ort, backend, ONNX_PROBE(), ERROR);
  const feeds = Object.fromEntries(
      Object.entries(PROBE).map(([name, values]) => [name, new ort.Tensor('float32', values, [ROWS, 2])]));
  const results = await session.run(feeds);
  await session.release();
  return readProbe(Object.fromEntries(Object.entries(results).map(([name, {data}]) => [name, data])));
}

const TO_DTYPE = {float16: 'float32', int64: 'int32', uint64: 'int32', int8: 'int32', uint8: 'int32', int16: 'int32',
  uint16: 'int32', uint32: 'int32', float64: 'float32'};
const ARRAYS = {int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, uint32: Uint32Array};

// Frames have float32, int32, bool and string; ONNX has all widths.
function toTensor(ort, {dtype, shape, data}, type) {
  if (type === dtype) {
    if (dtype !== 'string') return new ort.Tensor(dtype, data, shape);
    return new ort.Tensor('string', data.map((item) => new TextDecoder().decode(item)), shape);
  }
  if (dtype === 'int32' && type === 'int64') return new ort.Tensor(type, BigInt64Array.from(data, BigInt), shape);
  if (dtype === 'int32' && type === 'uint64') return new ort.Tensor(type, BigUint64Array.from(data, BigInt), shape);
  if (dtype === 'int32' && ARRAYS[type]) return new ort.Tensor(type, ARRAYS[type].from(data), shape);
  throw new Error(`the model takes ${type}, but was given ${dtype}`);
}

function fromTensor({type, dims, data}) {
  const shape = [...dims];
  if (type === 'string') return {dtype: type, shape, data: data.map((item) => new TextEncoder().encode(item))};
  if (type === 'bool') return {dtype: type, shape, data: Uint8Array.from(data)};
  const dtype = TO_DTYPE[type] ?? type;
  // Copies: the library may hand out its own memory.
  if (dtype === 'int32') {
    const values = Int32Array.from(data, Number);
    if (values.some((value, i) => value !== Number(data[i]))) throw new Error('an integer is larger than int32 holds');
    return {dtype, shape, data: values};
  }
  return {dtype, shape, data: Float32Array.from(data)};
}

async function run(session, feeds) {
  try {
    return await session.run(feeds, {logSeverityLevel: ERROR});
  } catch (error) {
    // A node with more inputs and outputs (a Split in many) than the adapter lets one shader have.
    const limit = /Too many storage buffers in shader[^\n]*/.exec(error.message);
    throw limit ? new Unsupported(`ONNX Runtime on this adapter: ${limit[0].trim()}`) : error;
  }
}

/** Load an ONNX model on a device; see README.md. */
export async function open({device, model, host}) {
  const backend = DEVICES[device];
  if (!backend) throw new Error(`ONNX Runtime has no device '${device}' here; there are ${Object.keys(DEVICES)}`);
  const adapter = device === 'webgpu' ? await requestAdapter() : null;
  const ort = await host.onnxruntime(backend);
  const begin = (threads) => {
    ort.env.wasm.numThreads = threads;
    return overheard(() => probe(ort, backend));
  };
  // One thread, as in the other libraries (see tfjs.mjs), but where several are asked for.
  const [found, threads] = device === 'wasm-threads' ? await withThreads(begin) : [await begin(1), {threads: 1}];
  nodes = null;
  const bytes = new Uint8Array(await host.read(model));
  // Node.js' library writes to standard error, past any console.
  const session = await create(ort, backend, bytes, backend === 'cpu' ? ERROR : VERBOSE, threads.threads);
  const gpu = adapter && await ort.env.webgpu.device;
  const presence = new Presence(gpu);
  const types = Object.fromEntries(session.inputMetadata.map(({name, type}) => [name, type]));
  const {common, ...versions} = ort.env.versions;
  const environment = {
    onnxruntime: common,
    onnxruntime_build: Object.keys(versions).join(),
    backend,
    ...found,
    nodes,  // how many of the graph run on which provider; null where ONNX Runtime did not say
    simd: true,  // there is no other build
    ...threads,
    ...(adapter ? describeWebgpu(gpu, adapter) : {}),
  };

  async function step(inputs) {
    const names = Object.keys(inputs);
    if (names.length !== session.inputNames.length || names.some((name) => !types[name])) {
      throw new Error(`the model takes inputs [${session.inputNames}], but was given [${names}]`);
    }
    const feeds = Object.fromEntries(names.map((name) => [name, toTensor(ort, inputs[name], types[name])]));
    const results = await presence.during(run(session, feeds));
    const outputs = Object.fromEntries(session.outputNames.map((name) => [name, fromTensor(results[name])]));
    for (const tensor of [...Object.values(feeds), ...Object.values(results)]) tensor.dispose?.();
    return outputs;
  }

  return {environment, step, check: () => presence.check(), close: () => session.release()};
}
