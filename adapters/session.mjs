// One open model, whatever the library and the host: see README.md.

import {inBatches} from './batches.mjs';
import {Unavailable, Unsupported} from './device.mjs';

const ADAPTERS = {
  bundle: () => import('./bundle.mjs'),
  litert: () => import('./litert.mjs'),
  onnxruntime: () => import('./onnxruntime.mjs'),
  tfjs: () => import('./tfjs.mjs'),
};

/** Open a model with a library adapter; resolves to {environment, step, infer, time, close}. */
export async function openSession({library, device, model, host}) {
  if (!ADAPTERS[library]) throw new Error(`there is no library '${library}'; there are ${Object.keys(ADAPTERS)}`);
  const adapter = await ADAPTERS[library]();
  const session = await adapter.open({device, model, host});
  const step = async (inputs) => {
    const outputs = await session.step(inputs);
    session.check();
    return outputs;
  };
  return {
    environment: session.environment,
    step,
    infer: (inputs, batch) => inBatches(step, inputs, batch),
    // Seconds of each run of all rows in one batch, until its outputs can be read, after runs that are not counted.
    async time(inputs, calls, warmup) {
      const seconds = [];
      for (let call = 0; call < warmup + calls; call++) {
        const started = performance.now();
        await session.step(inputs);
        if (call >= warmup) seconds.push((performance.now() - started) / 1000);
      }
      session.check();
      return seconds;
    },
    close: () => session.close(),
  };
}

/** An error as a reply: its words, and whether the machine or the library rather than the model is at fault. */
export function asReply(error) {
  const text = error instanceof Error ? `${error.message}` : String(error?.message ?? error);
  return {
    error: text || 'an error without words',
    unavailable: error instanceof Unavailable,
    unsupported: error instanceof Unsupported,
  };
}
