// Sources of a bundle's parts: the plan as a function, the kernels of a backend, the weights in one file.

import fs from 'node:fs';
import path from 'node:path';

const OPS = '@tensorflow/tfjs-core/dist/ops';

/** Where TF.js' operations are defined: `(path) => [module, exported name]` for "add", "fused.matMul", "image.transform". */
export function operationsOf(modules) {
  const text = fs.readFileSync(path.join(modules, OPS, 'ops.js'), 'utf8');
  return (name) => {
    const [space, member] = name.split('.');
    if (!member) return [`${OPS}/ops.js`, name];
    if (space === 'fused') return [`${OPS}/fused_ops.js`, member];
    const found = new RegExp(`^import \\{ ${member} \\} from '\\./(${space}/\\w+)';`, 'm').exec(text);
    if (!found) throw new Error(`tfjs-core has no operation ${name}`);
    return [`${OPS}/${found[1]}.js`, member];
  };
}

/** A module that exports `run(weights, inputs) -> outputs`, all by name, and the names of the weights that it takes. */
export function planModule(plan, locate) {
  const kept = reachable(plan);
  const names = new Map();  // of operations
  const weights = [];
  const last = new Map();  // the last call that reads what a call made
  const from = ({weight, input, call, place}) => {
    if (input !== undefined) return `x[${JSON.stringify(input)}]`;
    if (call !== undefined) return place === undefined ? `t${call}` : `t${call}[${place}]`;
    if (!weights.includes(weight)) weights.push(weight);
    return `w[${weights.indexOf(weight)}]`;
  };
  const lines = [];
  for (const at of kept) walk(plan.calls[at].args, ({call}) => call !== undefined && last.set(call, at));
  for (const {call} of Object.values(plan.outputs)) last.delete(call);
  for (const at of kept) {
    const {path: name, args} = plan.calls[at];
    if (!names.has(name)) names.set(name, `op${names.size}`);
    lines.push(`  const t${at} = ${names.get(name)}(${args.map((arg) => source(arg, from)).join(', ')});`);
    const done = [...last].filter(([, until]) => until === at).map(([call]) => `t${call}`);
    if (done.length) lines.push(`  free(${done.join(', ')});`);
  }
  const imports = [...names].map(([name, local]) => {
    const [module, exported] = locate(name);
    return `import {${exported} as ${local}} from '${module}';`;
  });
  const outputs = Object.entries(plan.outputs).map(([name, where]) => `${JSON.stringify(name)}: ${from(where)}`);
  return {weights, code: `import {ENGINE} from '@tensorflow/tfjs-core/dist/engine.js';
${imports.join('\n')}
const free = (...all) => all.flat().forEach((tensor) => tensor.dispose());
export const run = (w, x) => ENGINE.tidy(() => {
${lines.join('\n')}
  return {${outputs.join(', ')}};
});
`};
}

/** The calls that outputs depend on, in order. */
function reachable({calls, outputs}) {
  const found = new Set();
  const visit = ({call}) => {
    if (call === undefined || found.has(call)) return;
    found.add(call);
    walk(calls[call].args, visit);
  };
  Object.values(outputs).forEach(visit);
  return [...found].sort((a, b) => a - b);
}

/** Every source that arguments name. */
function walk(value, visit) {
  if (Array.isArray(value)) value.forEach((each) => walk(each, visit));
  else if (value?.object) value.object.forEach(([, each]) => walk(each, visit));
  else if (value && typeof value === 'object') {
    const where = value.tensor ?? value.shape ?? value.values ?? value.item;
    if (where && !value.typed) visit(where);
  }
}

/** An argument as source code. */
function source(value, from) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => source(each, from)).join(', ')}]`;
  if (value.js) return value.js;
  if (value.typed) return `new ${value.typed}([${value.values.map((each) => source(each, from)).join(', ')}])`;
  if (value.object) {
    return `{${value.object.map(([key, each]) => `${JSON.stringify(key)}: ${source(each, from)}`).join(', ')}}`;
  }
  if (value.tensor) return from(value.tensor);
  if (value.shape) return `${from(value.shape)}.shape`;
  if (value.values) return `[...${from(value.values)}.dataSync()]`;
  if (value.item) return `${from(value.item)}.dataSync()[0]`;
  throw new Error(`no source for ${JSON.stringify(value)}`);
}

/** A module that registers kernels. */
export function kernelsModule(registry, kernels) {
  const lines = kernels.map((kernel, at) => `import {${registry[kernel].name} as k${at}} from '${registry[kernel].module}';`);
  return `import {registerKernel} from '@tensorflow/tfjs-core/dist/kernel_registry.js';
${lines.join('\n')}
export const registerAll = () => [${kernels.map((_, at) => `k${at}`).join(', ')}].forEach(registerKernel);
`;
}

const ALIGN = 4;

/** Some weights of a model in one file: {bytes, table}, one row [dtype, shape, offset, length, quantization] for each. */
export function packWeights(names, specs, buffer) {
  const size = {float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2};
  const places = new Map();
  let offset = 0;
  for (const {name, dtype, shape, quantization} of specs) {
    const length = shape.reduce((a, b) => a * b, 1) * size[quantization?.dtype ?? dtype];
    places.set(name, {dtype, shape, quantization, offset, length});
    offset += length;
  }
  const parts = [], table = [];
  let at = 0;
  for (const name of names) {
    const {dtype, shape, quantization, offset: start, length} = places.get(name);
    table.push(quantization ? [dtype, shape, at, length, quantization] : [dtype, shape, at, length]);
    const padding = (ALIGN - length % ALIGN) % ALIGN;
    parts.push(new Uint8Array(buffer, start, length), new Uint8Array(padding));
    at += length + padding;
  }
  return {bytes: Buffer.concat(parts), table};
}
