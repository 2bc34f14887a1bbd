// What is on this machine: the words for what is not, which adapters are none, and whether the device is still there.

/** An error that means "this machine lacks it" rather than "the model is wrong". */
export class Unavailable extends Error {}

/** An error that means "this library does not do that on this device, and says so" rather than "the model is wrong". */
export class Unsupported extends Error {}

// Names of renderers that are software, and never count as a GPU.
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;

/** The adapter that a WebGL context draws with, for the certificate. */
export function describeWebgl(gl) {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return {
    adapter: renderer,
    adapter_vendor: String(gl.getParameter(info ? info.UNMASKED_VENDOR_WEBGL : gl.VENDOR)),
    adapter_is_software: SOFTWARE.test(renderer),
    webgl_version: String(gl.getParameter(gl.VERSION)),
    max_texture_size: gl.getParameter(gl.MAX_TEXTURE_SIZE),
  };
}

/** Why there is no WebGL 2 here, in the browser's own words; '' where it keeps them to itself, or there is one. */
export function webglRefusal() {
  const canvas = globalThis.document?.createElement('canvas') ?? new OffscreenCanvas(1, 1);
  let words = '';
  canvas.addEventListener('webglcontextcreationerror', ({statusMessage}) => {
    words = statusMessage.replace(/\s+/g, ' ').trim();
  });
  return canvas.getContext('webgl2') ? '' : words;
}

/** The adapter that the browser gives, or Unavailable with what it says instead. Libraries fall back in silence. */
export async function requestAdapter() {
  if (!globalThis.navigator?.gpu) throw new Unavailable('this browser has no WebGPU: there is no navigator.gpu');
  let adapter;
  try {
    adapter = await navigator.gpu.requestAdapter();
  } catch (error) {
    throw new Unavailable(`navigator.gpu.requestAdapter() failed: ${error.message}`);
  }
  if (!adapter) throw new Unavailable('no WebGPU adapter: navigator.gpu.requestAdapter() gave null');
  return adapter;
}

/**
 * The adapter of a WebGPU device, for the certificate.
 *
 * `device` is the one that the library works on, which says whose it is in newer browsers; `adapter` stands in for it
 * in older ones. Where the browser keeps a name to itself it is ''.
 */
export function describeWebgpu(device, adapter) {
  const info = device?.adapterInfo ?? adapter.info ?? {};
  const {vendor = '', architecture = '', description = ''} = info;
  const fallback = info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  const name = [vendor, architecture, description].filter(Boolean).join(' ');
  return {
    adapter: name,
    adapter_vendor: vendor,
    adapter_architecture: architecture,
    adapter_is_fallback: fallback,
    adapter_is_software: fallback || SOFTWARE.test(name),
    shader_f16: (device ?? adapter).features.has('shader-f16'),
  };
}

const MOST_THREADS = 4;

/**
 * What `start(threads)` resolves to with a library that is given several threads: [result, {threads, workers}].
 *
 * workers: how many the library started. Without cross-origin isolation libraries take one thread in silence, so that
 * is Unavailable, and none started is an error.
 */
export async function withThreads(start) {
  if (!globalThis.crossOriginIsolated) {
    throw new Unavailable('this page is not cross-origin isolated, so the browser gives it no shared memory for threads');
  }
  const threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency);
  if (threads < 2) throw new Unavailable(`navigator.hardwareConcurrency is ${navigator.hardwareConcurrency}`);
  const {Worker} = globalThis;
  let workers = 0;
  globalThis.Worker = class extends Worker {
    constructor(...all) {
      super(...all);
      workers++;
    }
  };
  try {
    const result = await start(threads);
    if (!workers) throw new Error(`it was given ${threads} threads and started no worker for them`);
    return [result, {threads, workers}];
  } finally {
    globalThis.Worker = Worker;
  }
}

/** Whether a device is still there: what a library computes on one that was lost means nothing. */
export class Presence {
  #lost = null;
  #fail = () => {};

  /** The presence of a WebGPU device, of a WebGL context, or (null) of a processor, which is always there. */
  constructor(device) {
    device?.lost?.then(({reason, message}) => this.#end(`the WebGPU device was lost (${reason}: ${message})`));
    device?.canvas?.addEventListener('webglcontextlost', () => this.#end('the WebGL context was lost'));
  }

  #end(words) {
    this.#lost = new Error(`${words}; its results mean nothing`);
    this.#fail(this.#lost);
  }

  /** Throws once the device is lost. */
  check() {
    if (this.#lost) throw this.#lost;
  }

  /** What a promise resolves to, unless the device is lost before: libraries wait for it forever. */
  during(job) {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      if (this.#lost) reject(this.#lost);
      job.then(resolve, reject);
    });
  }
}
