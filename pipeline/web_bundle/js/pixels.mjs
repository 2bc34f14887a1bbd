// From pixels to what the model reads, in whole numbers up to one division, so that every machine gets the same bits.
// pipeline/web_bundle/pixels.py is the same in Python.

/**
 * @param image an ImageData, or anything with `data` (RGBA bytes), `width` and `height`.
 * @param {number[]} size height, width and channels (1 or 3) that the model reads.
 * @param range what black and full light become.
 * @param invert dark on light becomes light on dark.
 * @returns {Float32Array} of height * width * channels values. Transparent pixels are black; colours become grey by
 *     ITU-R 601; each of the model's pixels is the average of the area that it covers.
 */
export function pixels({data, width, height}, [tall, wide, channels], range, invert = false) {
  if (!range) throw new Error('what black and full light are to become is not known: give {range: [low, high]}');
  const [low, high] = range;
  if (data.length !== 4 * width * height || !width || !height) throw new Error('that is no image');
  const sums = new Float64Array(tall * wide * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x), alpha = data[at + 3];
      const over = (channel) => Math.floor((data[at + channel] * alpha + 127) / 255);
      const [r, g, b] = [over(0), over(1), over(2)];
      const grey = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16;
      const values = (channels === 1 ? [grey] : [r, g, b]).map((value) => invert ? 255 - value : value);
      // In units of 1 / (width * wide) across and 1 / (height * tall) down, all edges are whole numbers.
      for (let j = Math.floor(y * tall / height); j * height < (y + 1) * tall; j++) {
        const down = Math.min((y + 1) * tall, (j + 1) * height) - Math.max(y * tall, j * height);
        for (let i = Math.floor(x * wide / width); i * width < (x + 1) * wide; i++) {
          const across = Math.min((x + 1) * wide, (i + 1) * width) - Math.max(x * wide, i * width);
          values.forEach((value, channel) => sums[(j * wide + i) * channels + channel] += value * down * across);
        }
      }
    }
  }
  const whole = 255 * width * height;
  return Float32Array.from(sums, (sum) => low === 0 && high === 1 ? sum / whole : low + (high - low) * (sum / whole));
}
