// The ready-made web bundle of a model (`exports/<name>/<version>/web/`), run as a page would run it.
//
// The host's bundle(module) imports the module; its tfjs(backend) is used for the probe alone: the bundle holds no
// kernels but its model's, so the device's arithmetic is probed by the whole library on the same backend.

import {describeWebgl} from './device.mjs';
import {probeTfjs} from './probe.mjs';
import {startBackend} from './tfjs.mjs';

async function probe(host, device) {
  const {tf} = await host.tfjs(device);
  await startBackend(tf, device);
  const found = await probeTfjs(tf);
  return device === 'webgl' ? {...found, ...describeWebgl(tf.backend().gpgpu.gl)} : found;
}

/** Load a bundle's module, which is for one device; see README.md. */
export async function open({device, model, host}) {
  const probed = await probe(host, device);
  const module = await host.bundle(model);
  if (module.backend !== device) throw new Error(`${model} is for ${module.backend}, not for ${device}`);
  const loaded = await module.load();
  const {tensors: start, ...said} = loaded.environment();
  const environment = {simd: false, threads: 1, ...probed, ...said};
  let settled = start;

  function check() {
    const {tensors} = loaded.environment();
    if (tensors > settled) throw new Error(`the bundle leaks: ${settled} tensors when it was loaded, ${tensors} now`);
    settled = tensors;
  }

  return {environment, step: (inputs) => loaded.predict(inputs), check, close: () => loaded.dispose()};
}
