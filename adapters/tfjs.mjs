// TF.js graph models on one backend, in Node.js and in browsers alike.
//
// The host's tfjs(backend) resolves to {tf, wasm}: the library with that one backend, and the wasm backend's module.

import {
  describeWebgl, describeWebgpu, Presence, requestAdapter, Unavailable, Unsupported, webglRefusal,
} from './device.mjs';
import {probeTfjs} from './probe.mjs';

// What a device's name stands for: the backend, and flags to be set before it starts.
const DEVICES = {
  'cpu': {backend: 'cpu'},
  // One thread, in Node.js and in pages alike: what a page without cross-origin isolation gets, the same on any number
  // of cores, and without workers made from blobs, which a strict Content-Security-Policy forbids.
  'wasm': {backend: 'wasm', flags: {WASM_HAS_MULTITHREAD_SUPPORT: false}},
  'webgl': {backend: 'webgl'},
  // What phones without float32 textures do, on any adapter.
  'webgl-f16': {backend: 'webgl', flags: {WEBGL_FORCE_F16_TEXTURES: true}},
  'webgpu': {backend: 'webgpu'},
};

// The executor's own list of what needs executeAsync, plus every op whose kernel returns a promise.
const ASYNC_OPS = new RegExp('^(TensorArray|TensorList|EmptyTensorList|NonMaxSuppression|HashTable|LookupTable)|' +
  '^(Switch|Merge|Enter|Exit|NextIteration|LoopCond|If|StatelessIf|While|StatelessWhile|Where|ListDiff)$');

/** Start the backend of a device; resolves to its name, or throws what TF.js and the browser have to say. */
export async function startBackend(tf, device) {
  const {backend, flags = {}} = DEVICES[device];
  for (const [name, value] of Object.entries(flags)) tf.env().set(name, value);
  const words = new Set();
  let running = 'none';
  const warn = console.warn;
  console.warn = (...all) => {  // TF.js says on the console, and only there, why a backend does not start
    // Stacks begin with the message in Chromium, and without it in Firefox.
    const lines = all.map((each) => String(each?.message ?? each).split('\n')[0]);
    words.add(lines.filter((line) => !/@https?:/.test(line)).join(' '));
    warn(...all);
  };
  try {
    if (await tf.setBackend(backend)) {
      await tf.ready();
      running = tf.getBackend();
    }
  } catch (error) {
    words.add(error.message);
  } finally {
    console.warn = warn;
  }
  // TF.js falls through to another backend in silence.
  if (running !== backend) {
    if (backend === 'webgl') words.add(webglRefusal());
    const what = `backend '${backend}' does not start, TF.js took ${running}. ${[...words].join(' ').trim()}`;
    throw backend.startsWith('web') ? new Unavailable(what) : new Error(what);
  }
  return backend;
}

async function describe(tf, backend, wasm, adapter) {
  const record = {tfjs: tf.version_core, backend, ...await probeTfjs(tf), simd: false, threads: 1};
  if (backend === 'wasm') {
    record.simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
    record.threads = wasm.getThreadsCount();
  }
  if (backend === 'webgl') Object.assign(record, describeWebgl(tf.backend().gpgpu.gl));
  if (backend === 'webgpu') Object.assign(record, describeWebgpu(tf.backend().device, adapter));
  return record;
}

// Shards are read one after the other and only from beside model.json, and handed over one by one as TF.js' own loader
// does, which reads zeros when the last one is larger than the others (CompositeArrayBuffer, 4.22): users would, too.
async function readArtifacts(tf, host, file) {
  const json = JSON.parse(new TextDecoder().decode(await host.read(file)));
  if ((json.format ?? 'graph-model') !== 'graph-model') throw new Error(`model.json is a ${json.format}`);
  if (!json.modelTopology?.node) throw new Error('model.json has no modelTopology');
  return tf.io.getModelArtifactsForJSON(json, async (manifest) => {
    const data = [];
    for (const path of manifest.flatMap((group) => group.paths)) data.push(await host.read(path));
    return [manifest.flatMap((group) => group.weights), data];
  });
}

function signatureOf(artifacts) {
  const signature = artifacts.userDefinedMetadata?.signature ?? artifacts.signature;
  if (!signature?.inputs || !signature?.outputs) throw new Error('model.json has no signature with inputs and outputs');
  // A resource is a captured table, not something that a caller gives.
  const inputs = Object.keys(signature.inputs).filter((name) => signature.inputs[name].resourceId == null);
  return {inputs, outputs: Object.keys(signature.outputs)};
}

function takesNames(given, wanted) {
  const missing = wanted.filter((name) => !(name in given));
  const unknown = Object.keys(given).filter((name) => !wanted.includes(name));
  if (missing.length || unknown.length) {
    throw new Error(`the model takes inputs [${wanted}], but was given [${Object.keys(given)}]`);
  }
}

/** Load a graph model on a device; see the top of this file. */
export async function open({device, model, host}) {
  if (!DEVICES[device]) throw new Error(`TF.js has no device '${device}' here; there are ${Object.keys(DEVICES)}`);
  const adapter = device === 'webgpu' ? await requestAdapter() : null;
  const {tf, wasm} = await host.tfjs(DEVICES[device].backend);
  const backend = await startBackend(tf, device);
  const presence = new Presence(backend === 'webgl' ? tf.backend().gpgpu.gl : adapter && tf.backend().device);
  const environment = await describe(tf, backend, wasm, adapter);
  const artifacts = await readArtifacts(tf, host, model);
  const graph = await tf.loadGraphModel({load: async () => artifacts});
  const signature = signatureOf(artifacts);
  const slow = artifacts.modelTopology.node.some(({op}) => ASYNC_OPS.test(op));
  const weights = new Set(Object.values(graph.weights).flat().map(({id}) => id));
  let settled = null;  // tensors alive after the first batch: the first may make lasting constants

  async function read(tensor) {
    const {dtype, shape} = tensor;
    if (dtype === 'string') return {dtype, shape, data: await tensor.bytes()};
    const data = await tensor.data();
    return {dtype, shape, data: backend === 'cpu' ? data.slice() : data};  // cpu hands out its own storage
  }

  async function execute(feeds) {
    try {
      return await (slow ? graph.executeAsync({...feeds}, signature.outputs) :
        graph.execute({...feeds}, signature.outputs));
    } catch (error) {
      // The converter writes what the older backends have; the newest lacks some of it.
      if (backend === 'webgpu' && /not registered for backend/.test(error.message)) throw new Unsupported(error.message);
      throw error;
    }
  }

  async function run(inputs) {
    takesNames(inputs, signature.inputs);
    const feeds = {};
    let results = [];
    try {
      for (const [name, {dtype, shape, data}] of Object.entries(inputs)) feeds[name] = tf.tensor(data, shape, dtype);
      const given = Object.values(feeds);
      results = await execute(feeds);
      results = Array.isArray(results) ? results : [results];
      const outputs = {};
      for (const [at, name] of signature.outputs.entries()) outputs[name] = await read(results[at]);
      results = results.filter((tensor) => !given.includes(tensor));
      return outputs;
    } finally {
      tf.dispose(feeds);
      tf.dispose(results.filter(({id}) => !weights.has(id)));  // an output may be a weight itself
    }
  }

  function check() {
    presence.check();
    const {numTensors} = tf.memory();
    settled ??= numTensors;
    if (numTensors > settled) {
      throw new Error(`the model leaks: ${settled} tensors after its first batch, ${numTensors} now`);
    }
  }

  const step = (inputs) => presence.during(run(inputs));
  return {environment, step, check, close: () => graph.dispose()};
}
