// One open model in Node.js: reads frames from standard input, answers each with a frame on standard output.
// Usage: node node_runner.mjs NODE_MODULES

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {asReply, openSession} from '../../../adapters/session.mjs';
import {pack, unpackBody} from '../../../adapters/wire.mjs';

// Standard output carries frames; whatever a library has to say goes to standard error.
console.log = console.info = console.debug = console.error;

const modules = path.resolve(process.argv[2]);
const require = createRequire(path.join(modules, 'isomer.cjs'));

// Blocking reads: there is nothing to do but wait, and nothing is buffered twice.
function take(length) {
  const buffer = Buffer.from(new ArrayBuffer(length));
  for (let at = 0; at < length;) {
    const count = fs.readSync(0, buffer, at, length - at, null);
    if (count === 0) return null;
    at += count;
  }
  return buffer;
}

function receive() {
  const length = take(4);
  const text = length && take(length.readUInt32LE(0));
  const header = text && JSON.parse(text.toString());
  const body = header && take(header.bytes);
  return body && {meta: header.meta, tensors: unpackBody(header, body.buffer)};
}

function send(meta, tensors) {
  for (const piece of pack(meta, tensors)) {
    for (let at = 0; at < piece.length;) at += fs.writeSync(1, piece, at, piece.length - at);
  }
}

function hostFor(directory) {
  return {
    async tfjs(backend) {
      const core = require('@tensorflow/tfjs-core');
      const converter = require('@tensorflow/tfjs-converter');
      const module = require(`@tensorflow/tfjs-backend-${backend}`);
      if (backend === 'wasm') {
        module.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist') + path.sep);
      }
      return {tf: {...core, loadGraphModel: converter.loadGraphModel}, wasm: module};
    },
    onnxruntime: async () => require('onnxruntime-node'),
    async read(name) {
      const file = path.resolve(directory, name);
      if (path.dirname(file) !== directory) throw new Error(`model.json names a file outside its directory: ${name}`);
      const data = fs.readFileSync(file);
      return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    },
  };
}

let session = null;

async function handle({meta, tensors}) {
  if (meta.do === 'open') {
    session?.close();
    const host = hostFor(path.dirname(meta.model));
    session = await openSession({library: meta.library, device: meta.device, model: path.basename(meta.model), host});
    return [{environment: {...session.environment, node: process.versions.node}}];
  }
  if (meta.do === 'time') return [{seconds: await session.time(tensors, meta.calls, meta.warmup)}];
  return [{}, await session.infer(tensors, meta.batch)];
}

for (let request = receive(); request; request = receive()) {
  try {
    send(...await handle(request));
  } catch (error) {
    console.error(error);
    send(asReply(error));
  }
}
