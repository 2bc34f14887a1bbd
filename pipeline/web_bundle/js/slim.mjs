// An esbuild plugin that makes TF.js' packages fit to be taken apart: what a module does not use stays out.

import fs from 'node:fs';
import path from 'node:path';

const CORE = '@tensorflow/tfjs-core';
// Modules that are imported for what they do; all others may go when nothing of them is used.
const DOING = /[/\\]dist[/\\]flags(_\w+)?\.js$/;
// The build with threads, which makes workers of blobs: a strict Content-Security-Policy forbids them.
const THREADED = /tfjs-backend-wasm-threaded-simd(\.worker)?\.js$/;

// TF.js keeps its engine and its kernels in a global, so that two copies in a page share them; ours must not, for each
// holds other kernels.
const PRIVATE_GLOBALS = `
const all = {atob: (text) => atob(text), screen: globalThis.screen};
export const getGlobalNamespace = () => all;
export const getGlobal = (key, make) => all[key] ??= make();`;

/** `import {a, util} from core`, or `import * as tf`, as one import per namespace, which a bundler sees through. */
function openNamespaces(code, namespaces) {
  const all = /import \* as (\w+) from '@tensorflow\/tfjs-core';/.exec(code)?.[1];
  if (all) {
    const member = new RegExp(`\\b${all}\\.(\\w+)`, 'g');
    const used = [...new Set([...code.matchAll(member)].map(([, name]) => name))];
    const list = used.map((name) => `${name} as ${all}_${name}`).join(', ');
    code = code.replace(member, `${all}_$1`).replace(`* as ${all} from`, `{${list}} from`);
  }
  return code.replace(/import\s*\{([^}]*)\}\s*from\s*'@tensorflow\/tfjs-core';/g, (whole, list) => {
    const rest = [], lines = [];
    for (const part of list.split(',').map((each) => each.trim()).filter(Boolean)) {
      const [name, alias = name] = part.split(/\s+as\s+/);
      if (namespaces[name]) lines.push(`import * as ${alias} from '${namespaces[name]}';`);
      else rest.push(part);
    }
    if (rest.length) lines.push(`import {${rest.join(', ')}} from '${CORE}';`);
    return lines.join(' ');
  });
}

/** `const {a: b} = namespace` as `const b = namespace.a`, which a bundler sees through too. */
function openPatterns(code) {
  return code.replace(/^const \{([^}]*)\} = (\w+);/gm, (whole, list, from) => {
    if (!new RegExp(`import \\* as ${from} `).test(code)) return whole;
    return list.split(',').map((each) => each.trim()).filter(Boolean).map((each) => {
      const [name, alias = name] = each.split(/\s*:\s*/);
      return `const ${alias} = ${from}.${name};`;
    }).join(' ');
  });
}

function namespacesOf(modules) {
  const dist = path.join(modules, CORE, 'dist');
  const code = fs.readFileSync(path.join(dist, 'base.js'), 'utf8');
  return Object.fromEntries([...code.matchAll(/^import \* as (\w+) from '\.\/([^']+)';/gm)].map(([, name, file]) =>
    [name, `${CORE}/dist/${file}.js`]));
}

function locate(base) {
  for (const file of [base, `${base}.js`, path.join(base, 'index.js')]) {
    if (fs.statSync(file, {throwIfNoEntry: false})?.isFile()) return file;
  }
  return null;
}

/**
 * @param modules the `node_modules` directory.
 * @param virtual sources by name, imported as `isomer:<name>`.
 * @param replace full paths of files and what stands in for them: source code, CommonJS or not.
 */
export function slim(modules, virtual = {}, replace = {}) {
  const namespaces = namespacesOf(modules);
  return {
    name: 'slim',
    setup(build) {
      build.onResolve({filter: /^isomer:/}, ({path: name}) => ({path: name.slice(7), namespace: 'isomer'}));
      build.onLoad({filter: /./, namespace: 'isomer'}, ({path: name}) => {
        if (!(name in virtual)) return {errors: [{text: `there is no isomer:${name}`}]};
        return {contents: virtual[name], loader: 'js', resolveDir: modules};
      });
      build.onResolve({filter: /^(\.|@tensorflow\/|long$|seedrandom$)/}, ({path: name, importer, resolveDir}) => {
        let file;
        if (name === CORE) file = path.join(modules, CORE, 'dist', 'base.js');
        else if (!name.startsWith('.')) file = name.startsWith('@') ? locate(path.join(modules, name)) : null;
        else if (importer.includes('@tensorflow')) file = locate(path.join(resolveDir, name));
        if (!file) return name === 'long' || name === 'seedrandom' ? null : undefined;
        return {path: file, sideEffects: DOING.test(file)};
      });
      build.onLoad({filter: /[/\\]@tensorflow[/\\].*\.js$/}, ({path: file}) => {
        if (file in replace) return {contents: replace[file], loader: 'js', resolveDir: path.dirname(file)};
        if (THREADED.test(file)) return {contents: 'export default null; export const wasmWorkerContents = "";'};
        if (file.endsWith(path.join('tfjs-core', 'dist', 'global_util.js'))) return {contents: PRIVATE_GLOBALS};
        const code = fs.readFileSync(file, 'utf8');
        return {contents: openPatterns(openNamespaces(code, namespaces)), loader: 'js'};
      });
    },
  };
}
