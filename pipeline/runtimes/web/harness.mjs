// One open model in a page. Python calls isomer.open(job), .infer(job) and .time(job) with small jobs; arrays are
// fetched from and posted to the server that served this page. All resolve to a plain object, {error} when it went wrong.

import {asReply, openSession} from '../adapters/session.mjs';
import {pack, unpack} from '../adapters/wire.mjs';

const MODULES = new URL('../modules/', location).href;
const TFJS = `${MODULES}@tensorflow/`;
const ORT = `${MODULES}onnxruntime-web/dist/`;
const LITERT = `${MODULES}@litertjs/core/`;

// The UMD builds: in bundles the threaded WebAssembly backend hangs (its worker is made with Function.toString()).
// Fetched together, run in order.
function scripts(...paths) {
  return Promise.all(paths.map((path) => new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.async = false;
    element.src = path;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`cannot load ${path}`));
    document.head.append(element);
  })));
}

async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`cannot read ${path}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

const host = {
  async tfjs(backend) {
    if (backend === 'cpu') {  // its one dependency, which the UMD build takes from a global
      await scripts(`${MODULES}seedrandom/lib/alea.min.js`);
      globalThis.seedrandom = {alea: globalThis.alea};
    }
    await scripts(
        `${TFJS}tfjs-core/dist/tf-core.es2017.min.js`,
        `${TFJS}tfjs-converter/dist/tf-converter.es2017.min.js`,
        `${TFJS}tfjs-backend-${backend}/dist/tf-backend-${backend}.es2017.min.js`);
    const {tf} = globalThis;
    // Relative addresses are unsafe in workers made from blobs.
    tf.wasm?.setWasmPaths(`${TFJS}tfjs-backend-wasm/dist/`);
    return {tf, wasm: tf.wasm};
  },
  async onnxruntime(device) {
    const ort = await import(`${ORT}ort.${device}.min.mjs`);
    ort.env.wasm.wasmPaths = ORT;
    return ort;
  },
  async litert() {
    const litert = await import(`${LITERT}dist/index.js`);
    const {version} = await (await fetch(`${LITERT}package.json`)).json();
    return {litert, version, wasm: `${LITERT}wasm/`};
  },
  bundle: (name) => import(new URL(`../model/${encodeURIComponent(name)}`, location)),
  // The server refuses whatever is not directly in the model's directory.
  read: (name) => bytes(`../model/${encodeURIComponent(name)}`),
};

let session = null;
let held = {key: null, tensors: null};  // the last inputs: the same ones are run again in other batches

async function inputs(key) {
  if (held.key !== key) {
    held = {key: null, tensors: null};
    held = {key, tensors: unpack(await bytes(`../inputs/${key}`)).tensors};
  }
  return held.tensors;
}

async function guarded(job) {
  try {
    return await job();
  } catch (error) {
    console.error(error);
    return asReply(error);
  }
}

globalThis.isomer = {
  open: ({library, device, model}) => guarded(async () => {
    session = await openSession({library, device, model, host});
    return {environment: {
      ...session.environment,
      user_agent: navigator.userAgent,
      cross_origin_isolated: globalThis.crossOriginIsolated,
    }};
  }),
  infer: ({key, batch}) => guarded(async () => {
    const outputs = await session.infer(await inputs(key), batch);
    const response = await fetch('../outputs', {method: 'POST', body: new Blob(pack({}, outputs))});
    if (!response.ok) throw new Error(`the outputs were not taken: ${response.status}`);
    return {};
  }),
  time: ({key, calls, warmup}) =>
    guarded(async () => ({seconds: await session.time(await inputs(key), calls, warmup)})),
};
