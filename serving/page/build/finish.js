// After the build: compressed forms beside the files, and the service worker's list of what the page is made of.

import {createHash} from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {promisify} from 'node:util';
import zlib from 'node:zlib';

const [brotli, gzip] = [promisify(zlib.brotliCompress), promisify(zlib.gzip)];
const TEXT = /\.(html|js|mjs|css|json|svg|wasm|webmanifest)$/;
const SMALLEST = 1024;
// Of 11: with the highest, 60 MB of WebAssembly take minutes for a tenth fewer bytes.
const QUALITY = 6;

const walk = (directory) => fs.readdirSync(directory, {recursive: true, withFileTypes: true})
    .filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name)).sort();

async function compress(file) {
  const bytes = fs.readFileSync(file);
  if (bytes.length < SMALLEST) return;
  const {BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT} = zlib.constants;
  const params = {[BROTLI_PARAM_QUALITY]: QUALITY, [BROTLI_PARAM_SIZE_HINT]: bytes.length};
  const [br, gz] = await Promise.all([brotli(bytes, {params}), gzip(bytes, {level: QUALITY})]);
  fs.writeFileSync(`${file}.br`, br);
  fs.writeFileSync(`${file}.gz`, gz);
}

/** A plugin that runs last. */
export function finish() {
  let target;
  return {
    name: 'isomer:finish',
    apply: 'build',
    configResolved(config) {
      target = config.build.outDir;
    },
    async closeBundle() {
      const files = walk(target).map((file) => path.relative(target, file).split(path.sep).join('/'));
      const shell = files.filter((file) => !file.startsWith('vendor/') && file !== 'service-worker.js');
      const hash = createHash('sha256');
      for (const file of shell) hash.update(file).update(fs.readFileSync(path.join(target, file)));
      const worker = path.join(target, 'service-worker.js');
      const list = shell.map((file) => `/${file}`.replace(/^\/index\.html$/, '/'));
      fs.writeFileSync(worker, fs.readFileSync(worker, 'utf8')
          .replace('__SHELL__', () => JSON.stringify(list))
          .replace('__BUILD__', () => JSON.stringify(hash.digest('hex').slice(0, 16))));
      await Promise.all(walk(target).filter((file) => TEXT.test(file)).map(compress));
    },
  };
}
