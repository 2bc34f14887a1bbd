// One runtime in a worker of its own: what hangs can be ended, what crashes takes nothing with it, and the page stays
// responsive. Takes {id, do, ...}, answers {id, ...}; asks the page for the model's files with {need}.

import {asReply, openSession} from '../../../../adapters/session.mjs';

// LiteRT.js tells everything to console.error, however well it goes: also which operations it leaves to WebAssembly, a line
// each ("GATHER: Only support 1D indices"), which its `fully_accelerated` says, too.
const CHATTER = new RegExp('^(INFO|WARNING)\\b|^ERROR: Following operations are not supported by GPU delegate|' +
  '^(?!ERROR)[A-Z][A-Z0-9_]*: |^\\d+ operations will run on the');

const wanted = new Map();

function read(name) {
  const answer = Promise.withResolvers();
  if (wanted.has(name)) wanted.get(name).push(answer);
  else wanted.set(name, [answer]);
  postMessage({need: name});
  return answer.promise;
}

const host = {
  async tfjs(backend) {
    const {base} = __VENDOR__.tfjs;
    if (backend === 'cpu') {  // its one dependency, which the UMD build takes from a global
      importScripts(`${base}alea.min.js`);
      globalThis.seedrandom = {alea: globalThis.alea};
    }
    importScripts(`${base}tf-core.es2017.min.js`, `${base}tf-converter.es2017.min.js`,
        `${base}tf-backend-${backend}.es2017.min.js`);
    const {tf} = globalThis;
    tf.wasm?.setWasmPaths(new URL(base, location.origin).href);
    return {tf, wasm: tf.wasm};
  },
  async onnxruntime(device) {
    const base = new URL(__VENDOR__.onnxruntime.base, location.origin).href;
    const module = await import(/* @vite-ignore */ `${base}ort.${device === 'webgpu' ? 'webgpu' : 'wasm'}.min.mjs`);
    module.env.wasm.wasmPaths = base;
    return module;
  },
  async litert() {
    const {base, version} = __VENDOR__.litert;
    const wasm = new URL(base, location.origin).href;
    const said = console.error;
    console.error = (...all) => (CHATTER.test(String(all[0])) ? console.debug : said)(...all);
    // Its script takes the worker's address for its own.
    globalThis.Module = {locateFile: (name) => `${wasm}${name}`};
    return {litert: await import('@litertjs/core'), wasm, version};
  },
  // A module fetches what it needs from beside it: by addresses, which the page's hashes do not cover; it has its own.
  bundle: (address) => import(/* @vite-ignore */ new URL(address, location.origin).href),
  read,
};

let session = null;

async function handle({do: what, ...job}) {
  if (what === 'open') {
    session = await openSession({...job, host});
    return {environment: session.environment};
  }
  if (what === 'time') return {seconds: await session.time(job.inputs, job.calls, job.warmup)};
  return {outputs: await session.infer(job.inputs, job.batch)};
}

addEventListener('message', async ({data}) => {
  if (data.file !== undefined) {
    const answer = wanted.get(data.file).shift();
    if (data.error) answer.reject(new Error(data.error));
    else answer.resolve(data.bytes);
    return;
  }
  try {
    postMessage({id: data.id, ...await handle(data)});
  } catch (error) {
    postMessage({id: data.id, ...asReply(error)});
  }
});
