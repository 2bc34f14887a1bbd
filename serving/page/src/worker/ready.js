// A bundle's own module (web/float32/<backend>.mjs, docs/web.md) as a session like those of the adapters.

import {inBatches} from '../../../../adapters/batches.mjs';

/** module: the address of the module; its files lie beside it. */
export async function openReady({module}) {
  const {load, backend, version} = await import(/* @vite-ignore */ new URL(module, location.origin).href);
  const model = await load();
  const step = (inputs) => model.predict(inputs);
  return {
    environment: {backend, tfjs: version, ...await model.environment()},
    infer: (inputs, batch) => inBatches(step, inputs, batch),
    async time(inputs, calls, warmup) {
      const seconds = [];
      for (let call = 0; call < warmup + calls; call++) {
        const started = performance.now();
        await step(inputs);
        if (call >= warmup) seconds.push((performance.now() - started) / 1000);
      }
      return seconds;
    },
    close: () => model.dispose(),
  };
}
