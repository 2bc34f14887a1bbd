// What really ran, in a line.

import {h} from '../dom.js';
import {className} from '../judge/judge.js';

/** Parts of a line about a session's environment: adapter, precision as a probe found it, version. */
export function device(environment) {
  const {float_bits: bits, adapter, adapter_is_software: software, simd, flushes_subnormals: flushes} = environment;
  const version = environment.tfjs ?? environment.onnxruntime ?? environment.litertjs;
  const parts = [];
  if (software) parts.push(h('span', {class: 'tag', title: 'Rendered by the processor: this is no GPU'}, 'software'));
  if (adapter) parts.push(h('span', {title: adapter}, shortAdapter(adapter)));
  if (bits) {
    parts.push(h('span', {class: bits < 24 ? 'tag' : null, title: `${bits} significand bits, found by computing` +
      `${flushes ? '; takes subnormal numbers for zero' : ''}`}, className(bits)));
  }
  if (simd) parts.push(h('span', {}, 'SIMD'));
  if (version) parts.push(h('span', {}, version));
  return parts;
}

// "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)" and the like.
function shortAdapter(text) {
  const inner = /^ANGLE \((.*)\)$/.exec(text)?.[1] ?? text;
  const parts = inner.split(/, (?![^(]*\))/);
  const best = (parts.length > 1 ? parts[1] : parts[0]).replace(/^Vulkan [\d.]+ \((.*)\)$/, '$1')
      .replace(/ \(0x[\da-fA-F]+\)/g, '').replace(/ (Direct3D|OpenGL).*$/, '');
  return best.length > 40 ? `${best.slice(0, 39)}…` : best;
}
