// LiteRT.js on WebAssembly (XNNPACK) or WebGPU, in pages only.
//
// The host's litert() resolves to {litert, wasm}: the module, and the address of the directory with its WebAssembly.

import {describeWebgpu, Presence, requestAdapter, Unsupported, withThreads} from './device.mjs';
import {PROBE, readProbe, ROWS} from './probe.mjs';
import {TFLITE_PROBE} from './probe_models.mjs';

// A device's accelerator.
const DEVICES = {'wasm': 'wasm', 'wasm-threads': 'wasm', 'webgpu': 'webgpu'};
const SIGNATURE = 'serving_default';

// The artifact is float32: so is what is asked for. Whether the device does it is for the probe to say.
const options = (accelerator, numThreads) => ({accelerator, cpuOptions: {numThreads}, gpuOptions: {precision: 'fp32'}});

async function compile(litert, accelerator, bytes, threads) {
  let compiled;
  try {
    compiled = await litert.loadAndCompile(new Uint8Array(bytes), options(accelerator, threads));
  } catch (error) {
    const text = String(error?.message ?? error);
    if (/Element type \w+ is not supported/.test(text)) throw new Unsupported(`LiteRT.js: ${text}`);
    throw error;
  }
  // It falls back to WebAssembly with a warning on the console.
  if (compiled.options.accelerator !== accelerator) {
    throw new Unsupported(`LiteRT.js does not compile this model for ${accelerator}: it fell back to ` +
      compiled.options.accelerator);
  }
  return compiled;
}

async function call(litert, runner, inputs) {
  const tensors = {};
  let results = {};
  try {
    for (const [name, {shape, data}] of Object.entries(inputs)) tensors[name] = new litert.Tensor(data, shape);
    results = await runner.run(tensors);
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      const {dtype, layout} = tensor.type;
      const data = await tensor.data();
      outputs[name] = dtype === 'uint8' ? {dtype: 'int32', shape: [...layout.dimensions], data: Int32Array.from(data)} :
        {dtype, shape: [...layout.dimensions], data};
    }
    return outputs;
  } finally {
    for (const tensor of [...Object.values(tensors), ...Object.values(results)]) tensor.delete();
  }
}

async function probe(litert, accelerator, threads) {
  const compiled = await compile(litert, accelerator, TFLITE_PROBE(), threads);
  const inputs = Object.fromEntries(
      Object.entries(PROBE).map(([name, data]) => [name, {shape: [ROWS, 2], data}]));
  const results = await call(litert, compiled.signatures[SIGNATURE], inputs);
  compiled.delete();
  return readProbe(Object.fromEntries(Object.entries(results).map(([name, {data}]) => [name, data])));
}

/** Load a TFLite model with static shapes on a device; see README.md. */
export async function open({device, model, host}) {
  const accelerator = DEVICES[device];
  if (!accelerator) throw new Error(`LiteRT.js has no device '${device}' here; there are ${Object.keys(DEVICES)}`);
  const adapter = device === 'webgpu' ? await requestAdapter() : null;
  const {litert, wasm, version} = await host.litert();
  // Its build with JSPI can leave to WebAssembly what the GPU does not do; the other one then gives the GPU up.
  const jspi = device === 'webgpu' && await litert.supportsFeature('jspi');
  const begin = async (threads) => {
    if (!litert.getGlobalLiteRtPromise()) await litert.loadLiteRt(wasm, {threads: threads > 1, jspi});
    const found = await probe(litert, accelerator, threads);
    return [found, await compile(litert, accelerator, await host.read(model), threads)];
  };
  const [[found, compiled], threads] = device === 'wasm-threads' ? await withThreads(begin) :
    [await begin(1), {threads: 1}];
  const gpu = adapter && litert.getWebGpuDevice();
  const presence = new Presence(gpu);
  const runner = compiled.signatures[SIGNATURE];
  if (!runner) throw new Error(`the file has no signature '${SIGNATURE}', only ${Object.keys(compiled.signatures)}`);
  const details = runner.getInputDetails();
  const environment = {
    litertjs: version,
    backend: accelerator,
    ...found,
    // Whether all operations run in the accelerator (XNNPACK or the GPU), as LiteRT.js tells.
    fully_accelerated: compiled.isFullyAccelerated,
    simd: true,
    relaxed_simd: await litert.supportsFeature('relaxedSimd'),
    ...threads,
    ...(adapter ? {gpu_precision_asked: 'fp32', ...describeWebgpu(gpu, adapter)} : {}),
  };

  function step(inputs) {
    const feeds = {};
    for (const {name, dtype, shape} of details) {
      const given = inputs[name];
      if (!given || Object.keys(inputs).length !== details.length) {
        throw new Error(`the model takes inputs [${details.map((d) => d.name)}], but was given [${Object.keys(inputs)}]`);
      }
      if (String([...shape]) !== String(given.shape)) {
        throw new Error(`input '${name}' is [${given.shape}], the file takes [${shape}] and LiteRT.js cannot resize`);
      }
      const data = dtype === 'uint8' && given.dtype === 'int32' ? Uint8Array.from(given.data) : given.data;
      feeds[name] = {shape: given.shape, data};
    }
    return presence.during(call(litert, runner, feeds));
  }

  return {environment, step, check: () => presence.check(), close: () => compiled.delete()};
}
