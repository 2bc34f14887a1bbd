// Watching a run: which operations TF.js' executor calls with what, which kernels that takes, what it reads of tensors.

import {registerKernel} from '@tensorflow/tfjs-core/dist/kernel_registry.js';
import {Tensor} from '@tensorflow/tfjs-core/dist/tensor.js';

let calls = null, reads = null, depth = 0;
const operations = new Set(), kernels = new Set();

/** `operation`, telling of each call that the executor makes (not of those that operations make of each other). */
export function watched(path, operation) {
  return (...args) => {
    if (depth++ === 0) operations.add(path);
    let result;
    try {
      result = operation(...args);
    } finally {
      depth--;
    }
    if (depth === 0) calls?.push({path, args, result});
    return result;
  };
}

/** Every function of a namespace, and of those in it, watched. */
export function watchedAll(namespace, prefix = '') {
  return Object.fromEntries(Object.keys(namespace).map((name) => {
    const value = namespace[name], path = prefix + name;
    if (typeof value === 'function') return [name, watched(path, value)];
    return [name, value && typeof value === 'object' && !prefix ? watchedAll(value, `${path}.`) : value];
  }));
}

export function registerWatched(config) {
  registerKernel({...config, kernelFunc: (args) => {
    kernels.add(config.kernelName);
    return config.kernelFunc(args);
  }});
}

const dataSync = Tensor.prototype.dataSync;
Tensor.prototype.dataSync = function() {
  const values = dataSync.call(this);
  if (depth === 0) reads?.push({tensor: this, values: [...values]});
  return values;
};

/** What `run` returns, and the calls and reads that it made. */
export function watch(run) {
  calls = [], reads = [];
  try {
    return {result: run(), calls, reads};
  } finally {
    calls = reads = null;
  }
}

/** Names of all operations and kernels used since the last time. */
export function used() {
  const found = {operations: [...operations].sort(), kernels: [...kernels].sort()};
  operations.clear();
  kernels.clear();
  return found;
}
