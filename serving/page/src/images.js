// Pictures to tensors: area averages, so that every browser computes the same from the same pixels.

/**
 * What an image input looks like: {name, height, width, channels, dtype, low, high, dark}, or null if the model takes none.
 *
 * dark: the golden samples' edges are, on average.
 */
export function imageInput({inputs}, evidence) {
  if (inputs.length !== 1 || !/^(float|u?int)/.test(inputs[0].dtype)) return null;
  const {name, dtype, shape} = inputs[0];
  const [, height, width, channels = 1] = shape;
  const flat = shape.length === 3, deep = shape.length === 4 && [1, 3, 4].includes(channels);
  if (!(flat || deep) || !(height >= 8 && width >= 8)) return null;
  if (flat && height !== width) return null;  // a sequence rather than a picture
  const scale = range(evidence.inputs[name], evidence.regular);
  const size = height * width * channels, {data} = evidence.inputs[name];
  let edges = 0;
  for (let row = 0; row < evidence.regular; row++) {
    edges += edge({width, height, channels, data: data.subarray(row * size, (row + 1) * size)}) / evidence.regular;
  }
  return {name, dtype, height, width, channels, deep, ...scale, dark: edges < (scale.low + scale.high) / 2};
}

/** Mean of an image's outermost pixels. */
export function edge({width, height, channels, data}) {
  let [sum, count] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += y === 0 || y === height - 1 ? 1 : width - 1) {
      for (let c = 0; c < channels; c++, count++) sum += Number(data[(y * width + x) * channels + c]);
    }
  }
  return sum / count;
}

// The scale that the golden samples have: pixels are mapped to it.
function range({shape, data}, regular) {
  const size = data.length / (shape[0] || 1);
  let low = Infinity, high = -Infinity;
  for (let at = 0; at < regular * size; at++) {
    low = Math.min(low, Number(data[at]));
    high = Math.max(high, Number(data[at]));
  }
  if (low < -0.01) return {low: -1, high: 1};
  return high > 1.5 ? {low: 0, high: 255} : {low: 0, high: 1};
}

/** Area average of planes of float pixels: {width, height, channels, data}. */
export function resize(image, width, height) {
  const {channels} = image;
  const columns = weights(image.width, width), rows = weights(image.height, height);
  const data = new Float32Array(width * height * channels);
  rows.forEach((vertical, y) => columns.forEach((horizontal, x) => {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (const [v, share] of vertical) {
        for (const [u, part] of horizontal) sum += share * part * image.data[(v * image.width + u) * channels + c];
      }
      data[(y * width + x) * channels + c] = sum;
    }
  }));
  return {width, height, channels, data};
}

// For each target position: which source positions it covers, and by what share.
function weights(from, to) {
  const ratio = from / to;
  return Array.from({length: to}, (_, at) => {
    const start = at * ratio, stop = start + ratio;
    const parts = [];
    for (let k = Math.floor(start); k < Math.min(from, Math.ceil(stop - 1e-9)); k++) {
      parts.push([k, (Math.min(k + 1, stop) - Math.max(k, start)) / ratio]);
    }
    return parts;
  });
}

/** The part of an image in a box, which may reach beyond it; outside is 0. */
export function crop(image, left, top, width, height) {
  const {channels} = image;
  const data = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x + left, y + top];
      if (u < 0 || v < 0 || u >= image.width || v >= image.height) continue;
      for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = image.data[(v * image.width + u) * channels + c];
    }
  }
  return {width, height, channels, data};
}

/**
 * A drawing (one channel, ink is 1) as MNIST was made: the ink's box scaled to 20 of 28 pixels, its centre of mass in the
 * middle (http://yann.lecun.com/exdb/mnist). Null if there is no ink.
 */
export function centred(drawing, width, height) {
  let [left, top, right, bottom] = [drawing.width, drawing.height, -1, -1];
  drawing.data.forEach((ink, at) => {
    if (ink < 0.05) return;
    const [x, y] = [at % drawing.width, Math.floor(at / drawing.width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  if (right < 0) return null;
  const side = Math.max(right - left, bottom - top) + 1;
  const box = crop(drawing, left - Math.floor((side - (right - left + 1)) / 2),
      top - Math.floor((side - (bottom - top + 1)) / 2), side, side);
  const inner = Math.max(1, Math.round(Math.min(width, height) * 20 / 28));
  const small = resize(box, inner, inner);
  let [mass, x, y] = [0, 0, 0];
  small.data.forEach((ink, at) => {
    mass += ink;
    x += ink * (at % inner + 0.5);
    y += ink * (Math.floor(at / inner) + 0.5);
  });
  return crop(small, Math.round(x / mass - width / 2), Math.round(y / mass - height / 2), width, height);
}

/** An image file's pixels in 0 to 1, RGBA. Throws what the browser says of files that it cannot read. */
export async function decode(file) {
  const bitmap = await createImageBitmap(file);
  const factor = Math.min(1, 1024 / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * factor)));
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const {data} = context.getImageData(0, 0, width, height);
  return {width, height, channels: 4, data: Float32Array.from(data, (value) => value / 255)};
}

/** The middle of an RGBA picture in an input's size and channels; 0 to 1. */
export function fitted(picture, {width, height, channels}) {
  const ratio = width / height;
  const cut = picture.width / picture.height > ratio ? [Math.round(picture.height * ratio), picture.height] :
    [picture.width, Math.round(picture.width / ratio)];
  const small = resize(crop(picture, (picture.width - cut[0]) >> 1, (picture.height - cut[1]) >> 1, ...cut), width, height);
  const data = new Float32Array(width * height * channels);
  for (let at = 0; at < width * height; at++) {
    const [r, g, b, a] = small.data.subarray(at * 4, at * 4 + 4);
    if (channels === 1) data[at] = 0.299 * r + 0.587 * g + 0.114 * b;  // ITU-R BT.601
    else data.set([r, g, b, a].slice(0, channels), at * channels);
  }
  return {width, height, channels, data};
}

/** A picture in 0 to 1 as the model's input. */
export function toTensor({width, height, channels, data}, {dtype, low, high, deep}) {
  const scaled = data.map((value) => low + value * (high - low));
  const shape = deep ? [1, height, width, channels] : [1, height, width];
  return dtype.startsWith('float') ? {dtype: 'float32', shape, data: scaled} :
    {dtype: 'int32', shape, data: Int32Array.from(scaled, Math.round)};
}

/** Draw one row of an input on a canvas. */
export function paint(canvas, {data}, {width, height, channels, low, high}) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    const value = (c) => (Number(data[at * channels + Math.min(c, channels - 1)]) - low) / (high - low) * 255;
    pixels.data.set([value(0), value(1), value(2), 255], at * 4);
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}
