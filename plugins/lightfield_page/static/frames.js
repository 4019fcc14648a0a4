/** Which frames are there: ranges, first and last included, in rising order. */

import { drawn } from "./dom.js";

/** @typedef {[number, number][]} Ranges */

/** @param {Ranges} ranges @param {number} frame @returns {boolean} */
export function isThere(ranges, frame) {
  return ranges.some(([first, last]) => first <= frame && frame <= last);
}

/**
 * @param {Ranges} ranges
 * @param {number} frame
 * @returns {number | null} the next frame that is there, from the start again after the last
 */
export function nextThere(ranges, frame) {
  for (const [first, last] of ranges) {
    if (frame < last) return Math.max(frame + 1, first);
  }
  return ranges.length ? ranges[0][0] : null;
}

/** @param {Ranges} ranges @returns {number} */
export function howMany(ranges) {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/**
 * A strip as long as the slider of frames; frames that are there are filled, the rest stays hatched.
 * @param {Ranges} ranges
 * @param {number} total
 * @returns {SVGElement}
 */
export function strip(ranges, total) {
  const text = `${howMany(ranges)} of ${total} frames are there`;
  const bars = ranges.map(([first, last]) => `M${first} 0H${last + 1}V1H${first}Z`).join("");
  return drawn(
    "svg",
    { class: "strip", viewBox: `0 0 ${total} 1`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    drawn("title", {}, text),
    drawn("path", { d: bars }),
  );
}
