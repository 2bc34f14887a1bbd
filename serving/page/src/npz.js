// NumPy's .npz archives and .npy files, as https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html has them.

import {unzipSync} from 'fflate';

// Samples are a few rows; an archive that unpacks to more than this is not one that isomer wrote.
const MAX_BYTES = 256 << 20;

const ARRAYS = {
  f4: ['float32', Float32Array], f8: ['float64', Float64Array], i1: ['int8', Int8Array], i2: ['int16', Int16Array],
  i4: ['int32', Int32Array], i8: ['int64', BigInt64Array], u1: ['uint8', Uint8Array], u2: ['uint16', Uint16Array],
  u4: ['uint32', Uint32Array], u8: ['uint64', BigUint64Array], b1: ['bool', Uint8Array],
};

/** Arrays by name: {dtype, shape, data}. Text becomes strings. Throws on anything else than plain little-endian arrays. */
export function readNpz(bytes) {
  let total = 0;
  const files = unzipSync(bytes, {filter({originalSize}) {
    total += originalSize;
    if (total > MAX_BYTES) throw new Error(`the archive unpacks to more than ${MAX_BYTES} bytes`);
    return true;
  }});
  return Object.fromEntries(Object.entries(files).map(([name, file]) => {
    try {
      return [name.replace(/\.npy$/, ''), readNpy(file)];
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
  }));
}

export function readNpy(bytes) {
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY') throw new Error('not a .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] > 1;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (long ? 12 : 10) + length;
  const header = new TextDecoder('latin1').decode(bytes.subarray(long ? 12 : 10, start));
  const [, order, kind, bits] = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header) ?? [];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (!kind || !sizes || order === '>') throw new Error(`an array that is not read here: ${header.trim()}`);
  if (/'fortran_order':\s*True/.test(header)) throw new Error('Fortran order is not read here');
  const shape = sizes[1].split(',').map((part) => part.trim()).filter(Boolean).map(Number);
  const count = shape.reduce((a, b) => a * b, 1);
  if (kind === 'U' || kind === 'S') return {dtype: 'string', shape, data: texts(bytes, start, count, kind, Number(bits))};
  const [dtype, Type] = ARRAYS[kind + bits] ?? [];
  if (!Type) throw new Error(`dtype ${kind}${bits} is not read here`);
  const end = start + count * Type.BYTES_PER_ELEMENT;
  if (end > bytes.length) throw new Error('the array is cut short');
  return {dtype, shape, data: new Type(bytes.slice(start, end).buffer)};
}

function texts(bytes, start, count, kind, size) {
  const width = kind === 'U' ? size * 4 : size;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({length: count}, (_, item) => {
    const at = start + item * width;
    if (kind === 'S') return new TextDecoder().decode(bytes.subarray(at, at + width)).replace(/\0+$/, '');
    let text = '';
    for (let character = 0; character < size; character++) {
      const code = view.getUint32(at + character * 4, true);
      if (code) text += String.fromCodePoint(code);
    }
    return text;
  });
}
