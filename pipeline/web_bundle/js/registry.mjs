// Which module of a backend exports which kernel.

import fs from 'node:fs';
import path from 'node:path';

/**
 * @returns {Object<string, {module: string, name: string}>} by kernel name: the module to import, and the
 *   configuration's name in it.
 */
export function kernelsOf(modules, backend) {
  const dist = path.join(modules, '@tensorflow', `tfjs-backend-${backend}`, 'dist');
  const listing = fs.readFileSync(path.join(dist, 'register_all_kernels.js'), 'utf8');
  const found = {};
  for (const [, name, file] of listing.matchAll(/^import \{ (\w+) \} from '\.\/(kernels\/\w+)';/gm)) {
    const code = fs.readFileSync(path.join(dist, `${file}.js`), 'utf8');
    const start = code.indexOf(`export const ${name} `);
    const kernel = /(?:kernelName: '?|KernelConfig\()(\w+)/.exec(code.slice(start))?.[1];
    if (start < 0 || !kernel) throw new Error(`${file}.js of the ${backend} backend exports no kernel as ${name}`);
    const module = `@tensorflow/tfjs-backend-${backend}/dist/${file}.js`;
    found[kernel] = {module, name};
  }
  return found;
}
