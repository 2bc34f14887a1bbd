// The runtimes' own files, self-hosted below an address with their version.

import fs from 'node:fs';
import path from 'node:path';

const MODULES = path.resolve(import.meta.dirname, '../../../node_modules');
const TFJS = '@tensorflow/tfjs-';

// By library: the package that has its version, and which files of which packages it takes.
const VENDOR = {
  tfjs: {
    version: `${TFJS}core`,
    files: [
      'seedrandom/lib/alea.min.js',
      `${TFJS}core/dist/tf-core.es2017.min.js`,
      `${TFJS}converter/dist/tf-converter.es2017.min.js`,
      ...['cpu', 'wasm', 'webgl', 'webgpu'].map((name) => `${TFJS}backend-${name}/dist/tf-backend-${name}.es2017.min.js`),
      `${TFJS}backend-wasm/dist/tfjs-backend-wasm.wasm`,
      `${TFJS}backend-wasm/dist/tfjs-backend-wasm-simd.wasm`,
    ],
  },
  onnxruntime: {
    version: 'onnxruntime-web',
    files: [
      'ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm',
      'ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm',
    ].map((name) => `onnxruntime-web/dist/${name}`),
  },
  litert: {
    version: '@litertjs/core',
    files: [
      'litert_wasm_internal.js', 'litert_wasm_internal.wasm',
      'litert_wasm_compat_internal.js', 'litert_wasm_compat_internal.wasm',
      'litert_wasm_jspi_internal.js', 'litert_wasm_jspi_internal.wasm',
    ].map((name) => `@litertjs/core/wasm/${name}`),
  },
};

const version = (name) => JSON.parse(fs.readFileSync(path.join(MODULES, name, 'package.json'), 'utf8')).version;

/** By library: {base, version}, where base is the address of the directory with all of its files. */
export function addresses() {
  return Object.fromEntries(Object.entries(VENDOR).map(([library, {version: name}]) =>
    [library, {base: `/vendor/${library}-${version(name)}/`, version: version(name)}]));
}

/** A plugin that copies them. */
export function runtimes() {
  let target;
  return {
    name: 'isomer:runtimes',
    apply: 'build',
    configResolved(config) {
      target = config.build.outDir;
    },
    writeBundle() {
      for (const [library, {base}] of Object.entries(addresses())) {
        const directory = path.join(target, base);
        fs.mkdirSync(directory, {recursive: true});
        for (const file of VENDOR[library].files) {
          fs.copyFileSync(path.join(MODULES, file), path.join(directory, path.basename(file)));
        }
      }
    },
  };
}
