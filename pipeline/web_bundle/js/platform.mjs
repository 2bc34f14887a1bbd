// What TF.js asks of its surroundings, without the stores and registries that its own platforms bring.

import {env} from '@tensorflow/tfjs-core/dist/environment.js';
import '@tensorflow/tfjs-core/dist/flags.js';

const fetched = new Map();

/** Have TF.js find this file where it would fetch it. */
export function provide(url, buffer) {
  fetched.set(url, buffer);
}

env().setPlatform('isomer', {
  fetch: async (url) => ({ok: fetched.has(url), arrayBuffer: async () => fetched.get(url)}),
  now: () => performance.now(),
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes, encoding) => new TextDecoder(encoding).decode(bytes),
  setTimeoutCustom: (callback, delay) => void setTimeout(callback, delay),
  isTypedArray: (value) => value instanceof Float32Array || value instanceof Int32Array ||
    value instanceof Uint8Array || value instanceof Uint8ClampedArray,
});
