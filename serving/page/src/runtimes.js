// The runtimes that this page expects. What it shows is held against this list, never against what happened to start.

const TFJS = {library: 'tfjs', name: 'TF.js', runtime: 'tfjs-browser', format: 'tfjs', variant: ''};
const ORT = {library: 'onnxruntime', name: 'ONNX Runtime', runtime: 'onnxruntime-web', format: 'onnx', variant: ''};
// LiteRT.js takes static shapes alone.
const LITERT = {library: 'litert', name: 'LiteRT', runtime: 'litert-web', format: 'tflite', variant: 'batch1'};

// required: every browser that can open this page has what it needs. megabytes: of the runtime, compressed.
const TABLE = [
  {...TFJS, device: 'cpu', required: true, megabytes: 0.1},
  {...TFJS, device: 'wasm', required: true, megabytes: 0.2},
  {...TFJS, device: 'webgl', required: false, megabytes: 0.2},
  {...TFJS, device: 'webgpu', required: false, megabytes: 0.2},
  {...ORT, device: 'wasm', required: true, megabytes: 2.8},
  {...ORT, device: 'webgpu', required: false, megabytes: 4.9},
  {...LITERT, device: 'wasm', required: true, megabytes: 2.4},
  {...LITERT, device: 'webgpu', required: false, megabytes: 2.4},
];

/**
 * The runtimes expected of a bundle, in the order in which they are started.
 *
 * Each has id, name, label, library, runtime, device, format, dynamic (it takes batches), artifact (undefined: the bundle has
 * none, `absent` says why)
 * and model and read(name), which open it, after prepare().
 */
export function expected(bundle) {
  const known = TABLE.map((row) => {
    const found = bundle.artifact(row.format, row.variant);
    const obstacle = row.library === 'litert' && found ? obstacleOf(found) : '';
    const artifact = obstacle ? undefined : found;
    const directory = artifact && row.library === 'tfjs';
    const root = directory ? artifact.path : artifact?.path.replace(/\/[^/]*$/, '');
    return {
      ...row,
      id: `${row.library}-${row.device}`,
      label: `${row.name} ${row.device}`,
      artifact,
      dynamic: takesBatches(artifact),
      absent: artifact ? '' : obstacle || bundle.absence(row.format),
      model: directory ? 'model.json' : artifact?.path.replace(/^.*\//, ''),
      read: (name) => bundle.read(`${root}/${name}`),
      prepare: async () => {},
    };
  });
  return [...known, ...ready(bundle)];
}

/** Why LiteRT.js does not run a file, as `isomer validate` does not try it; '' where it does. */
function obstacleOf({signature, flex = []}) {
  const open = signature.inputs.filter(({shape}) => shape.includes(null)).map(({name}) => `'${name}'`);
  if (open.length) return `LiteRT.js takes static shapes alone, and the size of ${open} is open.`;
  return flex.length ? `LiteRT.js has no Flex operations, which this file holds: ${flex.join(', ')}.` : '';
}

const takesBatches = (of) => Boolean(of?.signature.inputs.every(({shape}) => shape.length === 0 || shape[0] === null));

// The bundle's own modules in web/, which hold just what this model needs (docs/web.md).
function ready(bundle) {
  const modules = bundle.manifest.files.map(({path}) => /^web\/float32\/(cpu|wasm|webgl)\.mjs$/.exec(path)).filter(Boolean);
  return modules.map(([path, device]) => ({
    library: 'bundle', name: 'Web bundle', runtime: 'web-bundle', format: 'web', variant: device, device, required: false,
    id: `bundle-${device}`, label: `Web bundle ${device}`, artifact: {path, variant: device, signature: bundle.signature},
    dynamic: takesBatches(bundle), absent: '', model: `${bundle.root}/${path}?sha256=${bundle.hash(path)}`, read: (name) => bundle.read(name), megabytes: 0.3,
    prepare: () => bundle.read(path),
  }));
}
