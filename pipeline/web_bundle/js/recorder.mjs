// Runs a graph model on a backend with TF.js' own executor, node by node, and writes down what it calls: a plan.
//
// A plan is what is left of an executor once it has seen its graph: calls of operations, in order, with literal
// arguments. It is only made of graphs without control flow, and only where every run leads to the same plan.

import {ENGINE} from '@tensorflow/tfjs-core/dist/engine.js';
import {decodeWeights} from '@tensorflow/tfjs-core/dist/io/io_utils.js';
import '@tensorflow/tfjs-converter/dist/flags.js';
import {ExecutionContext} from '@tensorflow/tfjs-converter/dist/executor/execution_context.js';
import {GraphExecutor} from '@tensorflow/tfjs-converter/dist/executor/graph_executor.js';
import {getExecutionSubgraph, getNodesInTopologicalOrder} from
  '@tensorflow/tfjs-converter/dist/executor/model_analysis.js';
import {OperationMapper} from '@tensorflow/tfjs-converter/dist/operations/operation_mapper.js';
import {executeOp} from '@tensorflow/tfjs-converter/dist/operations/operation_executor.js';

import './platform.mjs';
import {used, watch} from './hooks.mjs';
import {registerAll} from 'isomer:all-kernels';

const STATEFUL = new Set(['control', 'dynamic', 'hash_table', 'custom']);
const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

export async function start(backend, wasm) {
  await registerAll(backend, async () => wasm);
  if (!await ENGINE.setBackend(backend) || ENGINE.backendName !== backend) {
    throw new Error(`TF.js' ${backend} backend does not start here`);
  }
}

/** An opened model: its mapped graph and its weights as tensors. */
export function open(json, buffer) {
  const specs = json.weightsManifest.flatMap((group) => group.weights);
  const weights = Object.fromEntries(Object.entries(decodeWeights(buffer, specs)).map(([k, v]) => [k, [v]]));
  return {json, weights, specs, buffer, graph: OperationMapper.Instance.transformGraph(json.modelTopology, json.signature)};
}

const tensorOf = ({dtype, shape, data}) => ENGINE.makeTensor(new ARRAYS[dtype](data), shape, dtype);

/** Run the whole model with TF.js' own executor, control flow and all, for the operations and kernels that it uses. */
export async function runWhole({json, graph, weights}, runs) {
  const executor = new GraphExecutor(graph);
  executor.weightMap = weights;
  const names = Object.keys(json.signature.outputs);
  const dynamic = Object.values(graph.nodes).some((node) => STATEFUL.has(node.category));
  for (const feeds of runs) {
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensorOf(value)]));
    const outputs = dynamic ? await executor.executeAsync(inputs, names) : executor.execute(inputs, names);
    for (const output of outputs) await output.data();
  }
  return used();
}

/** The plan that all runs agree on, with the kernels that they used; {obstacle} where there is none. */
export function record(model, runs) {
  const stateful = Object.values(model.graph.nodes).find((node) => STATEFUL.has(node.category));
  if (stateful || model.graph.initNodes?.length) return {obstacle: `control flow (${stateful?.op ?? 'initialisation'})`};
  let plan = null;
  for (const feeds of runs) {
    let found;
    try {
      found = recordOne(model, feeds);
    } catch (error) {
      return {obstacle: error.message};
    }
    if (found.obstacle) return found;
    plan ??= found;
    if (JSON.stringify(plan) !== JSON.stringify(found)) return {obstacle: 'its calls depend on the inputs'};
  }
  return {...plan, ...used()};
}

function recordOne({json, graph, weights}, feeds) {
  const symbols = new Map();  // by tensor id
  const plan = {calls: [], outputs: {}};
  const tensors = {...weights}, inputs = {};
  const constant = new Set();
  for (const [name, [tensor]] of Object.entries(weights)) {
    tensor.kept = true;
    symbols.set(tensor.id, {tensor, source: {weight: name}});
    constant.add(tensor.id);
  }
  for (const [name, value] of Object.entries(feeds)) {
    const node = json.signature.inputs[name].name.split(':')[0];
    const tensor = tensorOf(value);
    tensor.kept = true;
    symbols.set(tensor.id, {tensor, source: {input: name}});
    tensors[node] = [tensor];
    inputs[node] = tensor;
  }
  const wanted = Object.entries(json.signature.outputs).map(([name, {name: place}]) => {
    const [node, index = '0'] = place.split(':');
    return {name, node, index: +index};
  });
  const ends = wanted.map(({node}) => graph.nodes[node]);
  const info = getExecutionSubgraph(inputs, ends, weights, graph.initNodes);
  if (info.dynamicNode) return {obstacle: `a shape that depends on values (${info.dynamicNode.op})`};
  const context = new ExecutionContext(weights, {}, {}, {});
  for (const node of getNodesInTopologicalOrder(graph, info)) {
    if (tensors[node.name]) continue;
    const {result, calls, reads} = watch(() => executeOp(node, tensors, context));
    if (!Array.isArray(result)) return {obstacle: `an asynchronous operation (${node.op})`};
    const fixed = node.inputs.every((input) => (tensors[input.name] ?? []).every((t) => !t || constant.has(t.id)));
    const live = reads.filter(({tensor}) => !constant.has(tensor.id));
    const seen = new Set();
    for (const {path, args, result: made} of calls) {
      const call = {path, args: args.map((arg) => encode(arg, symbols, live, seen))};
      const many = Array.isArray(made);
      for (const [place, tensor] of (many ? made : [made]).entries()) {
        if (typeof tensor?.id !== 'number' || typeof tensor.dataSync !== 'function') {
          return {obstacle: `an operation that returns no tensor (${node.op})`};
        }
        if (!symbols.has(tensor.id)) {
          symbols.set(tensor.id, {tensor, source: many ? {call: plan.calls.length, place} : {call: plan.calls.length}});
        }
      }
      plan.calls.push(call);
    }
    if (live.some((read) => !seen.has(read))) return {obstacle: `an argument made of an input's values (${node.op})`};
    for (const tensor of result) {
      if (!tensor) continue;
      if (fixed) constant.add(tensor.id);
      if (!symbols.has(tensor.id)) return {obstacle: `a tensor that no operation made (${node.op})`};
      tensor.kept = true;  // what is kept, Identity and its like hand on as it is
    }
    tensors[node.name] = result;
  }
  for (const {name, node, index} of wanted) plan.outputs[name] = symbols.get(tensors[node][index].id).source;
  for (const {tensor, source} of symbols.values()) if (source.call !== undefined && !tensor.isDisposed) tensor.dispose();
  return plan;
}

const equal = (a, b) => a.length === b.length && a.every((value, at) => Object.is(value, b[at]));

/** An argument as JSON: tensors by where they come from, numbers that JSON lacks by name. */
function encode(value, symbols, reads, seen) {
  const again = (each) => encode(each, symbols, reads, seen);
  if (value === undefined) return {js: 'undefined'};
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    const read = reads.find(({values}) => values.length === 1 && Object.is(values[0], value));
    if (read) {
      seen.add(read);
      return {item: symbols.get(read.tensor.id).source};
    }
    return Number.isFinite(value) && !Object.is(value, -0) ? value : {js: Object.is(value, -0) ? '-0' : String(value)};
  }
  if (symbols.has(value.id) && symbols.get(value.id).tensor === value) return {tensor: symbols.get(value.id).source};
  if (ArrayBuffer.isView(value)) return {typed: value.constructor.name, values: [...value].map(again)};
  if (Array.isArray(value)) {
    const shaped = [...symbols.values()].find(({tensor}) => tensor.shape === value);
    if (shaped) return {shape: shaped.source};
    const read = reads.find(({values}) => equal(values, value));
    if (read) {
      seen.add(read);
      return {values: symbols.get(read.tensor.id).source};
    }
    return value.map(again);
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return {object: Object.entries(value).map(([key, each]) => [key, again(each)])};
  }
  throw new Error(`an argument that cannot be written down (${value?.constructor?.name ?? typeof value})`);
}
