// Writes the modules and weights of one model at one precision. Usage: node build.mjs JOB.json; replies with JSON.
//
// job: {modules, model, out, scratch}: directories; {name, precision, version, backends, inputs, outputs, image}: what
// the modules are and say of themselves; {runs}: inputs by name ({dtype, shape, file}) for each run to learn from.
// The reply: {modules: {backend: {kernels, beside, shares}}, absent: {backend: why}, files: {name: sizes and hash},
// executor, why}.

import {createHash} from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

import {licenses, own, smallest} from './bundler.mjs';
import {operationsOf, packWeights, planModule} from './emit.mjs';
import {observer, WASM} from './observer.mjs';
import {kernelsOf} from './registry.mjs';
import {stockModule, trimmed} from './stock.mjs';

const WEIGHTS = 'weights.bin';
const BEST = {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 11}};

const bufferOf = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);

function readModel(directory) {
  const json = JSON.parse(fs.readFileSync(path.join(directory, 'model.json'), 'utf8'));
  const shards = json.weightsManifest.flatMap((group) => group.paths);
  return [json, bufferOf(Buffer.concat(shards.map((shard) => fs.readFileSync(path.join(directory, shard)))))];
}

const readRuns = (runs) => runs.map((feeds) => Object.fromEntries(Object.entries(feeds).map(
    ([name, {dtype, shape, file}]) => [name, {dtype, shape, data: bufferOf(fs.readFileSync(file))}])));

/** How the model is run: a plan where there is no control flow, else TF.js' own executor, trimmed. */
async function executorOf({modules}, json, runs, observe) {
  // WebAssembly is the quickest here, and the calls are the same on every backend.
  const [recorder, model] = await observe('wasm');
  const locate = operationsOf(modules);
  const plan = recorder.record(model, runs);
  if (plan.obstacle === undefined) {
    return {...planModule(plan, locate), replace: {}, kernels: plan.kernels, specs: model.specs, executor: 'plan'};
  }
  const {operations, kernels} = await recorder.runWhole(model, runs);
  return {
    ...stockModule(json, model.specs.map(({name}) => name)), kernels, specs: model.specs,
    replace: await trimmed(modules, json.modelTopology, operations, locate),
    executor: 'tfjs-converter', why: plan.obstacle,
  };
}

function sourcesOf(job, backend, files, table, code) {
  const facts = {
    inputs: job.inputs, outputs: job.outputs, backend, precision: job.precision, name: job.name, version: job.version,
    files: Object.fromEntries(Object.entries(files).map(([name, {integrity}]) => [name, integrity])),
  };
  const pixels = job.image ? `
    import {pixels} from ${own('pixels.mjs')};
    const image = ${JSON.stringify(job.image)};
    export const fromPixels = (source, options = {}) => ({
      data: pixels(source, image.size, options.range ?? image.range, options.invert), shape: image.shape});` : '';
  return {
    backend: `export * from ${own(`backend_${backend}.mjs`)};`,
    facts: `export const facts = ${JSON.stringify(facts)};`,
    plan: `export const table = ${JSON.stringify(table)};\n${code}`,
    entry: `export * from ${own('runtime.mjs')};${pixels}`,
  };
}

async function build(job) {
  const [json, buffer] = readModel(job.model), runs = readRuns(job.runs);
  const observe = await observer(job.modules, job.scratch, json, buffer);
  const {code, weights, specs, replace, kernels, executor, why} = await executorOf(job, json, runs, observe);
  const packed = packWeights(weights, specs, buffer);
  const files = {}, modules = {}, absent = {};
  const write = (name, bytes) => {
    fs.writeFileSync(path.join(job.out, name), bytes);
    // Weights hardly compress, and compressing them as servers do takes seconds.
    const sent = !name.endsWith('.mjs') ? {} :
      {gzip: zlib.gzipSync(bytes, {level: 9}).length, brotli: zlib.brotliCompressSync(bytes, BEST).length};
    const integrity = `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
    files[name] = {bytes: bytes.length, ...sent, integrity};
  };
  fs.mkdirSync(job.out, {recursive: true});
  write(WEIGHTS, packed.bytes);
  for (const backend of job.backends) {
    // WebGL runs in no Node.js: its kernels are those that the same calls ask for elsewhere. The cells prove it.
    const [recorder, model] = backend === 'cpu' ? await observe('cpu') : [];
    const used = recorder ? (await recorder.runWhole(model, runs)).kernels : kernels;
    const registry = kernelsOf(job.modules, backend);
    const missing = used.filter((kernel) => !registry[kernel]);
    if (missing.length) {
      absent[backend] = `TF.js has no kernel for ${missing.join(', ')} on ${backend}`;
      continue;
    }
    if (backend === 'wasm') {
      write(WASM, fs.readFileSync(path.join(job.modules, '@tensorflow', 'tfjs-backend-wasm', 'dist', WASM)));
    }
    const beside = backend === 'wasm' ? [WEIGHTS, WASM] : [WEIGHTS];
    const fetched = Object.fromEntries(beside.map((name) => [name, files[name]]));
    const sources = sourcesOf(job, backend, fetched, packed.table, code);
    const made = await smallest(job.modules, backend, sources, registry, used, replace);
    write(`${backend}.mjs`, made.contents);
    modules[backend] = {kernels: made.kernels, beside, shares: made.shares};
  }
  return {modules, absent, files, executor, why: why ?? '', licenses: licenses(job.modules)};
}

console.log = console.info = console.warn = console.error;  // standard output carries the reply
const reply = await build(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')));
fs.writeSync(1, JSON.stringify(reply));
process.exit(0);  // esbuild's process would keep this one
