// esbuild on our sources and TF.js' packages, and the smallest module that holds a set of kernels.

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {kernelsModule} from './emit.mjs';
import {slim} from './slim.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const HEADER = '/* Written by isomer; holds parts of TensorFlow.js (Apache-2.0): see LICENSES.txt. */';
// Every browser with WebAssembly SIMD, and all with WebGL 2.
const TARGET = ['chrome91', 'firefox89', 'safari15'];
// What Emscripten's code asks for in Node.js alone.
const EXTERNAL = ['fs', 'path', 'crypto', 'os', 'worker_threads', 'perf_hooks', 'ws', 'node:*'];

/** The path of one of our sources, for an import. */
export const own = (name) => JSON.stringify(path.join(HERE, name));

/**
 * Bundle a source of ours into one ES module.
 *
 * @param virtual, replace as `slim` takes them.
 * @param more options of esbuild's.
 */
export function bundle(modules, entry, virtual, replace = {}, more = {}) {
  const esbuild = createRequire(path.join(modules, 'any.js'))('esbuild');
  return esbuild.build({
    entryPoints: [path.join(HERE, entry)], bundle: true, write: false, metafile: true, format: 'esm', minify: true,
    legalComments: 'none', target: TARGET, nodePaths: [modules], platform: 'browser', logLevel: 'silent',
    external: EXTERNAL, outfile: 'module.mjs', plugins: [slim(modules, virtual, replace)], ...more,
  });
}

/**
 * The module of a model on a backend, with the kernels that were found, and those of WebAssembly's that these call
 * directly: they must be set up, too, which is done for what is registered.
 *
 * @returns {contents, kernels, shares} with the bytes of each source in it.
 */
export async function smallest(modules, backend, virtual, registry, found, replace) {
  const kernels = new Set(found);
  for (;;) {
    const source = {...virtual, kernels: kernelsModule(registry, [...kernels].sort())};
    const built = await bundle(modules, 'entry.mjs', source, replace, {banner: {js: HEADER}});
    const [{inputs}] = Object.values(built.metafile.outputs);
    const held = Object.entries(inputs).filter(([, {bytesInOutput}]) => bytesInOutput > 0);
    const called = backend !== 'wasm' ? [] : Object.keys(registry).filter((kernel) =>
      !kernels.has(kernel) && held.some(([file]) => file.endsWith(registry[kernel].module)));
    if (!called.length) {
      const shares = Object.fromEntries(held.map(([file, {bytesInOutput}]) =>
        [file.replace(/^.*node_modules\/|^.*\/js\//, ''), bytesInOutput]));
      return {contents: Buffer.from(built.outputFiles[0].contents), kernels: [...kernels].sort(), shares};
    }
    called.forEach((kernel) => kernels.add(kernel));
  }
}

/** What modules hold of others' work, and under which license. */
export function licenses(modules) {
  const names = ['tfjs-core', 'tfjs-converter', 'tfjs-backend-cpu', 'tfjs-backend-wasm', 'tfjs-backend-webgl'];
  const held = names.map((name) => {
    const {version, license} = JSON.parse(fs.readFileSync(path.join(modules, '@tensorflow', name, 'package.json')));
    return `  @tensorflow/${name} ${version}, Copyright Google LLC (${license})`;
  });
  return `The modules here hold parts of TensorFlow.js, changed by taking out what the model does not use:\n\n${
    held.join('\n')}\n\n${fs.readFileSync(path.join(HERE, 'APACHE-2.0.txt'), 'utf8')}`;
}
