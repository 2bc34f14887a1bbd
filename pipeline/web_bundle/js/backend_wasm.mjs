// The WebAssembly backend, with SIMD and on one thread: threads would need workers made of blobs.

import {BackendWasm, init, setWasmPaths} from '@tensorflow/tfjs-backend-wasm/dist/backend_wasm.js';
import {ENGINE} from '@tensorflow/tfjs-core/dist/engine.js';
import {env} from '@tensorflow/tfjs-core/dist/environment.js';

import {provide} from './platform.mjs';

const FILE = 'tfjs-backend-wasm-simd.wasm';

export async function begin(fetched) {
  if (!await env().getAsync('WASM_HAS_SIMD_SUPPORT')) throw new Error('this browser has no WebAssembly SIMD');
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  provide(FILE, await fetched(FILE));
  setWasmPaths('', true);
  ENGINE.registerBackend('wasm', async () => new BackendWasm((await init()).wasm));
}

export const describe = () => ({simd: true, threads: 1});
export const alive = () => true;
