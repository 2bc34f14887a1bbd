// Frames: named arrays as raw bytes behind a JSON header. The same format as wire.py, which describes it.
// A tensor here is {dtype, shape, data}: data is a typed array (bool: Uint8Array) or, for strings, Uint8Array[].

const ALIGN = 8;
const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

const padding = (length) => (ALIGN - (length % ALIGN)) % ALIGN;
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function stringBytes(items) {
  const all = new Uint8Array(items.reduce((sum, item) => sum + 4 + item.length, 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const item of items) {
    view.setUint32(at, item.length, true);
    all.set(item, at + 4);
    at += 4 + item.length;
  }
  return all;
}

function strings(bytes, count) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const items = [];
  for (let at = 0; items.length < count;) {
    const length = view.getUint32(at, true);
    items.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return items;
}

/** A frame as an array of Uint8Array, to be written one after the other. */
export function pack(meta, tensors = {}) {
  const entries = [], body = [];
  let offset = 0;
  for (const [name, {dtype, shape, data}] of Object.entries(tensors)) {
    if (dtype !== 'string' && !ARRAYS[dtype]) throw new Error(`output '${name}' is ${dtype}, which frames do not have`);
    const bytes = dtype === 'string' ? stringBytes(data) : bytesOf(data);
    entries.push({name, dtype, shape, offset, bytes: bytes.length});
    body.push(bytes, new Uint8Array(padding(bytes.length)));
    offset += bytes.length + padding(bytes.length);
  }
  const text = new TextEncoder().encode(JSON.stringify({meta, tensors: entries, bytes: offset}));
  const header = new Uint8Array(4 + text.length + padding(4 + text.length)).fill(0x20);
  new DataView(header.buffer).setUint32(0, header.length - 4, true);
  header.set(text, 4);
  return [header, ...body];
}

/** The tensors by name of a frame's body (an ArrayBuffer, starting at `start`) whose header was parsed before. */
export function unpackBody(header, buffer, start = 0) {
  const tensors = {};
  for (const {name, dtype, shape, offset, bytes} of header.tensors) {
    const at = start + offset;
    tensors[name] = {dtype, shape, data: dtype === 'string' ?
      strings(new Uint8Array(buffer, at, bytes), shape.reduce((a, b) => a * b, 1)) :
      new ARRAYS[dtype](buffer, at, bytes / ARRAYS[dtype].BYTES_PER_ELEMENT)};
  }
  return tensors;
}

/** {meta, tensors} of a whole frame in an ArrayBuffer. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return {meta: header.meta, tensors: unpackBody(header, buffer, 4 + length)};
}
