/** From stored values to colours, and from values to a contrast that shows them. */

/** @typedef {import("./server.js").Picture} Picture */
/** @typedef {{low: number, high: number, gamma: number}} Contrast a window in the volume's values */
/** @typedef {"plain" | "flipped" | "transposed"} Orientation of a picture on the screen; flipped: last row on top */

const LEVELS = 65536;
/** Enough pixels for percentiles and a histogram; counting all of 2048 x 2048 would be felt at each step of a slider. */
const SAMPLES = 1 << 17;

/**
 * The colour of every stored value of a picture.
 * @param {Picture} picture
 * @param {Contrast} contrast
 * @param {Uint32Array} map of 256 colours
 * @returns {Uint32Array} of 65536 colours
 */
export function lookUpTable(picture, contrast, map) {
  const table = new Uint32Array(LEVELS);
  const step = (picture.high - picture.low) / (LEVELS - 1);
  const width = Math.max(contrast.high - contrast.low, Number.MIN_VALUE);
  for (let stored = 0; stored < LEVELS; stored++) {
    const share = (picture.low + step * stored - contrast.low) / width;
    const clipped = share <= 0 ? 0 : share >= 1 ? 1 : share;
    table[stored] = map[Math.round(255 * clipped ** contrast.gamma)];
  }
  return table;
}

/**
 * @param {Picture} picture
 * @param {Uint32Array} table of 65536 colours
 * @param {Orientation} orientation
 * @returns {ImageData} of the picture's size, sides exchanged when transposed
 */
export function coloured(picture, table, orientation) {
  const { pixels, height, width } = picture;
  const image = orientation === "transposed" ? new ImageData(height, width) : new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  if (orientation === "plain") {
    for (let place = 0; place < out.length; place++) out[place] = table[pixels[place]];
    return image;
  }
  for (let row = 0, place = 0; row < height; row++) {
    const start = orientation === "flipped" ? (height - 1 - row) * width : row;
    const stride = orientation === "flipped" ? 1 : height;
    for (let column = 0; column < width; column++, place++) out[start + column * stride] = table[pixels[place]];
  }
  return image;
}

/**
 * @param {Picture} picture
 * @param {number} row
 * @param {number} column
 * @returns {number} the value there
 */
export function valueAt(picture, row, column) {
  const stored = picture.pixels[row * picture.width + column];
  return picture.low + ((picture.high - picture.low) * stored) / (LEVELS - 1);
}

/**
 * Values of pixels at even steps over the pictures.
 * @param {Picture[]} pictures
 * @returns {Float64Array}
 */
function samples(pictures) {
  const total = pictures.reduce((sum, picture) => sum + picture.pixels.length, 0);
  const stride = Math.max(1, Math.floor(total / SAMPLES));
  const values = [];
  for (const { pixels, low, high } of pictures) {
    const step = (high - low) / (LEVELS - 1);
    for (let place = 0; place < pixels.length; place += stride) values.push(low + step * pixels[place]);
  }
  return Float64Array.from(values);
}

/**
 * @param {Picture[]} pictures
 * @param {number} lower share of pixels below the window, 0..1
 * @param {number} upper share of pixels below its top
 * @returns {{low: number, high: number}}
 */
export function percentiles(pictures, lower, upper) {
  const values = samples(pictures).sort();
  const at = (/** @type {number} */ share) => values[Math.round(share * (values.length - 1))] ?? 0;
  const low = at(lower);
  return { low, high: Math.max(at(upper), low + Math.max(Math.abs(low), 1e-12) * 1e-6) };
}

/**
 * @param {Picture[]} pictures
 * @param {{low: number, high: number}} range
 * @param {number} bins
 * @returns {Uint32Array} pixels in each bin of the range
 */
export function histogram(pictures, range, bins) {
  const counts = new Uint32Array(bins);
  const scale = bins / (range.high - range.low || 1);
  for (const value of samples(pictures)) {
    const bin = Math.floor((value - range.low) * scale);
    if (bin >= 0 && bin < bins) counts[bin] += 1;
    else if (value === range.high) counts[bins - 1] += 1;
  }
  return counts;
}
