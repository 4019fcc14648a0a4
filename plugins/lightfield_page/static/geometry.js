/**
 * Where voxels lie on the screen: three panels of one scale in um, which share their axes.
 *
 *     +--------+----+
 *     |  xy    | zy |   y down, z to the right
 *     +--------+----+
 *     |  xz    |        z up
 *     +--------+
 */

/** @typedef {"x" | "y" | "z"} Axis */
/** @typedef {Record<Axis, number>} Point in voxels: i is the middle of voxel i */
/** @typedef {{from: number, to: number}} Span in voxel edges: voxel i spans i..i+1 */

/**
 * @typedef {object} Panel
 * @property {Axis} across the axis that the panel's pictures are taken along
 * @property {Axis} horizontal
 * @property {Axis} vertical
 * @property {import("./contrast.js").Orientation} orientation of its pictures
 * @property {string} name
 */

/** @type {Panel[]} */
export const PANELS = [
  { across: "z", horizontal: "x", vertical: "y", orientation: "plain", name: "xy" },
  { across: "x", horizontal: "z", vertical: "y", orientation: "transposed", name: "zy" },
  { across: "y", horizontal: "x", vertical: "z", orientation: "flipped", name: "xz" },
];

export const MOST_ZOOM = 16;
/** A side panel of one thin plane must still be seen and hit. */
const LEAST_PX = 24;

/**
 * @param {Point} sizes in voxels
 * @param {Point} voxel in um
 * @param {number} width available, CSS pixels
 * @param {number} height available, CSS pixels
 * @returns {{size: Point, scale: number}} each axis on the screen, CSS pixels, and CSS pixels a um
 */
export function layOut(sizes, voxel, width, height) {
  const [x, y, z] = [sizes.x * voxel.x, sizes.y * voxel.y, sizes.z * voxel.z];
  const scale = Math.min(width / (x + z), height / (y + z));
  const shown = (/** @type {number} */ length) => Math.max(LEAST_PX, Math.round(length * scale));
  return { size: { x: shown(x), y: shown(y), z: shown(z) }, scale };
}

/**
 * @param {number} size voxels of the axis
 * @param {number} centre in voxels
 * @param {number} zoom 1: all of the axis
 * @returns {Span} within the axis
 */
export function span(size, centre, zoom) {
  const extent = size / zoom;
  const from = Math.min(Math.max(centre + 0.5 - extent / 2, 0), size - extent);
  return { from, to: from + extent };
}

/**
 * A direction on the screen runs against its axis where z points up.
 * @param {Axis} axis
 * @param {boolean} isVertical
 */
const runsBackwards = (axis, isVertical) => isVertical && axis === "z";

/**
 * @param {number} place in CSS pixels from the panel's left or top
 * @param {number} length of the panel in CSS pixels
 * @param {Span} shown
 * @param {Axis} axis
 * @param {boolean} isVertical
 * @returns {number} in voxel edges
 */
export function toVoxel(place, length, shown, axis, isVertical) {
  const share = runsBackwards(axis, isVertical) ? 1 - place / length : place / length;
  return shown.from + share * (shown.to - shown.from);
}

/**
 * The inverse of `toVoxel`.
 * @param {number} edge in voxel edges
 * @param {number} length
 * @param {Span} shown
 * @param {Axis} axis
 * @param {boolean} isVertical
 * @returns {number} CSS pixels
 */
export function toScreen(edge, length, shown, axis, isVertical) {
  const share = (edge - shown.from) / (shown.to - shown.from);
  return length * (runsBackwards(axis, isVertical) ? 1 - share : share);
}

/**
 * A round length for a scale bar.
 * @param {number} longest in um
 * @returns {number} 1, 2 or 5 times a power of ten, at most `longest`
 */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return ([5, 2].find((factor) => factor * power <= longest) ?? 1) * power;
}
