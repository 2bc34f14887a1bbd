// The recorder in this process: TF.js whole, its operations and kernels watched.

import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

import {bundle, own} from './bundler.mjs';
import {kernelsOf} from './registry.mjs';

export const WASM = 'tfjs-backend-wasm-simd.wasm';
const BACKENDS = ['cpu', 'wasm'];  // those that run in Node.js

// Emscripten's code, which takes Node.js for what it is, looks for these.
const FOR_NODE = `import {createRequire} from 'node:module';
const require = createRequire(import.meta.url), __dirname = '.';`;

function allKernels(modules) {
  const lines = [`import {registerWatched} from ${own('hooks.mjs')};`], lists = [], begins = [];
  for (const backend of BACKENDS) {
    const kernels = Object.values(kernelsOf(modules, backend));
    kernels.forEach(({module, name}) => lines.push(`import {${name} as ${backend}_${name}} from '${module}';`));
    lines.push(`import {begin as begin_${backend}} from ${own(`backend_${backend}.mjs`)};`);
    lists.push(`${backend}: [${kernels.map(({name}) => `${backend}_${name}`)}]`);
    begins.push(`${backend}: begin_${backend}`);
  }
  return `${lines.join('\n')}
    const lists = {${lists}}, begins = {${begins}};
    export async function registerAll(backend, fetched) {
      lists[backend].forEach(registerWatched);
      await begins[backend](fetched);
    }`;
}

/** A function that opens a model on a backend, in an engine of its own: (backend) => [recorder, model]. */
export async function observer(modules, scratch, json, weights) {
  const operations = path.join(modules, '@tensorflow', 'tfjs-core', 'dist', 'ops', 'ops_for_converter.js');
  const watched = `module.exports = require(${own('hooks.mjs')}).watchedAll(require('./ops.js'));`;
  const built = await bundle(modules, 'recorder.mjs', {'all-kernels': allKernels(modules)}, {[operations]: watched},
      {minify: false, banner: {js: FOR_NODE}});
  const file = path.join(scratch, 'recorder.mjs');
  fs.writeFileSync(file, built.outputFiles[0].contents);
  const wasm = fs.readFileSync(path.join(modules, '@tensorflow', 'tfjs-backend-wasm', 'dist', WASM));
  return async (backend) => {
    const recorder = await import(`${pathToFileURL(file)}?${backend}`);
    await recorder.start(backend, wasm);
    return [recorder, recorder.open(json, weights)];
  };
}
