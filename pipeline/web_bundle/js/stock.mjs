// TF.js' own graph executor, for models with control flow, without the operations that the model does not have.

import fs from 'node:fs';
import path from 'node:path';

/** Operation types of a graph and its functions, of node ("op") and of "nodeDef" alike. */
function typesIn({node, library}) {
  return new Set([...node, ...(library?.function ?? []).flatMap((each) => each.nodeDef)].map(({op}) => op));
}

/** The tables of TF.js' mapper: {category: rows}. */
async function tables(converter) {
  const directory = path.join(converter, 'operations', 'op_list');
  const files = fs.readdirSync(directory).filter((file) => file.endsWith('.js') && !file.endsWith('_test.js'));
  return Promise.all(files.map(async (file) => {
    const code = fs.readFileSync(path.join(directory, file), 'utf8').replace(/^\/\/# sourceMappingURL.*$/m, '');
    return [path.join(directory, file), (await import(`data:text/javascript,${encodeURIComponent(code)}`)).json];
  }));
}

/**
 * What stands in for which of TF.js' files, so that its executor holds what a graph needs.
 *
 * @param operations the operations that the executor called when it ran the graph.
 * @param locate where they are defined (`operationsOf`).
 */
export async function trimmed(modules, topology, operations, locate) {
  const converter = path.join(modules, '@tensorflow', 'tfjs-converter', 'dist');
  const types = typesIn(topology), categories = new Set();
  const replace = {};
  for (const [file, rows] of await tables(converter)) {
    const kept = rows.filter(({tfOpName}) => types.has(tfOpName));
    kept.forEach(({category}) => categories.add(category));
    replace[file] = `export const json = ${JSON.stringify(kept)};`;
  }
  const executors = path.join(converter, 'operations', 'executors');
  for (const file of fs.readdirSync(executors)) {
    const category = /^(\w+)_executor\.js$/.exec(file)?.[1];
    if (category && !categories.has(category)) {
      replace[path.join(executors, file)] = 'export const executeOp = () => { throw new Error("left out"); };';
    }
  }
  const spaces = {}, lines = [];
  for (const [at, name] of operations.entries()) {
    const [module, exported] = locate(name), [space, member] = name.split('.');
    lines.push(`import {${exported} as op${at}} from '${module}';`);
    if (member) (spaces[space] ??= []).push(`${member}: op${at}`);
    else lines.push(`export {op${at} as ${name}};`);
  }
  for (const [space, members] of Object.entries(spaces)) lines.push(`export const ${space} = {${members.join(', ')}};`);
  replace[path.join(modules, '@tensorflow', 'tfjs-core', 'dist', 'ops', 'ops_for_converter.js')] = lines.join('\n');
  return replace;
}

/** A module like a plan's, that runs the graph with TF.js' executor; takes the weights of these names. */
export function stockModule({modelTopology, signature}, weights) {
  const outputs = Object.keys(signature.outputs);
  const code = `import '@tensorflow/tfjs-converter/dist/flags.js';
import {GraphExecutor} from '@tensorflow/tfjs-converter/dist/executor/graph_executor.js';
import {OperationMapper} from '@tensorflow/tfjs-converter/dist/operations/operation_mapper.js';
const names = ${JSON.stringify(weights)}, outputs = ${JSON.stringify(outputs)};
const graph = ${JSON.stringify({modelTopology, signature})};
const executors = new WeakMap();
function executorOf(w) {
  if (!executors.has(w)) {
    const executor = new GraphExecutor(OperationMapper.Instance.transformGraph(graph.modelTopology, graph.signature));
    executor.weightMap = Object.fromEntries(names.map((name, at) => [name, [w[at]]]));
    executors.set(w, executor);
  }
  return executors.get(w);
}
let turn = Promise.resolve();  // the executor's state does not bear two runs at once
export function run(w, x) {
  const result = turn.then(() => executorOf(w).executeAsync({...x}, outputs));
  turn = result.catch(() => {});
  return result.then((tensors) => Object.fromEntries(outputs.map((name, at) => [name, tensors[at]])));
}
`;
  return {code, weights};
}
