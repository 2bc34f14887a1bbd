// Builds the page into dist/: `npm run page`. The runtimes are not bundled: they are copied as their packages ship them.

import path from 'node:path';

import {defineConfig} from 'vite';

import {addresses, runtimes} from './build/vendor.js';
import {finish} from './build/finish.js';

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  define: {__VENDOR__: JSON.stringify(addresses())},
  build: {
    outDir: path.join(import.meta.dirname, 'dist'),
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: {polyfill: false},
    assetsInlineLimit: 0,  // the Content-Security-Policy allows no data: but images
    reportCompressedSize: false,
  },
  // A classic worker: TF.js' and LiteRT's WebAssembly come as scripts, which only importScripts() loads there.
  worker: {format: 'iife'},
  plugins: [runtimes(), finish()],
});
