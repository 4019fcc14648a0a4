/** The relative residual against the iterations done: each frame, their spread, and the median. */

import { drawn, element, replace } from "./dom.js";
import { count, plural, quantity } from "./format.js";

/** @typedef {{curves: {frame: number, residuals: number[]}[], frames_done: number, median: number[]}} Residuals */

const BOX = { width: 560, height: 300, left: 64, right: 14, top: 12, bottom: 46 };
/** Above this ratio of values a linear axis hides where the curve goes. */
const LOGARITHMIC_FROM = 20;

/** @param {HTMLElement} place @param {Residuals | null} residuals */
export function showResiduals(place, residuals) {
  const title = element("h2", { id: "residuals-title" }, "Residual");
  if (!residuals?.median.length) {
    replace(place, title, element("p", { class: "empty" }, "The curve appears with the first reconstructed frame."));
    return;
  }
  const shown = residuals.curves.length;
  const what = `Relative residual, ‖b − W H x‖ / ‖b‖ (no unit), of ${plural(shown, "frame")} spread over the ${count(residuals.frames_done)} done. `
    + "It should fall steadily and flatten; a curve far above the others deserves a look.";
  replace(place, title, element("figure", {}, plot(residuals), element("figcaption", {}, what), numbers(residuals)));
}

/** @param {Residuals} residuals @returns {SVGElement} */
function plot({ curves, median }) {
  const all = [...median, ...curves.flatMap(({ residuals }) => residuals)].filter((value) => Number.isFinite(value) && value > 0);
  const iterations = Math.max(median.length, ...curves.map(({ residuals }) => residuals.length));
  const y = vertical(Math.min(...all), Math.max(...all));
  const x = (/** @type {number} */ iteration) =>
    BOX.left + ((BOX.width - BOX.left - BOX.right) * iteration) / Math.max(1, iterations - 1);
  const line = (/** @type {number[]} */ values) =>
    values.map((value, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y.place(value).toFixed(1)}`).join("");
  const name = `Median relative residual ${quantity(median[0])} at the start, ${quantity(median.at(-1))} after ${plural(median.length - 1, "iteration")}`;
  return drawn(
    "svg",
    { class: "plot", viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": name },
    ...axes(x, y, iterations),
    drawn("path", { class: "spread", d: spread(curves, x, y.place) }),
    ...curves.map(({ frame, residuals }) => drawn("path", { class: "curve", d: line(residuals) }, drawn("title", {}, `frame ${frame}`))),
    drawn("path", { class: "median", d: line(median) }),
    median.length === 1 && drawn("circle", { class: "point", cx: x(0), cy: y.place(median[0]), r: 4 }),
    ...legend(),
  );
}

/**
 * @param {number} low
 * @param {number} high
 * @returns {{place: (value: number) => number, ticks: number[], name: string}}
 */
function vertical(low, high) {
  const isLogarithmic = high / low > LOGARITHMIC_FROM;
  const [bottom, top] = [BOX.height - BOX.bottom, BOX.top];
  if (isLogarithmic) {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
    return { ticks, name: "relative residual (log)", place: (value) => bottom + ((top - bottom) * (Math.log10(Math.max(value, 10 ** first)) - first)) / (last - first) };
  }
  const step = niceStep(high / 4);
  const last = Math.ceil(high / step) * step;
  const ticks = Array.from({ length: Math.round(last / step) + 1 }, (_, index) => index * step);
  return { ticks, name: "relative residual", place: (value) => bottom + ((top - bottom) * value) / last };
}

/** @param {number} least @returns {number} 1, 2 or 5 times a power of ten, at least `least` */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}

/**
 * @param {(iteration: number) => number} x
 * @param {{place: (value: number) => number, ticks: number[], name: string}} y
 * @param {number} iterations
 * @returns {SVGElement[]}
 */
function axes(x, y, iterations) {
  const bottom = BOX.height - BOX.bottom;
  const text = (/** @type {import("./dom.js").Attributes} */ attributes, /** @type {string} */ words) => drawn("text", attributes, words);
  const step = Math.max(1, niceStep(iterations / 8));
  const marks = Array.from({ length: Math.ceil(iterations / step) }, (_, index) => index * step);
  const middle = (BOX.top + bottom) / 2;
  return [
    ...y.ticks.map((value) => drawn("path", { class: "grid", d: `M${BOX.left} ${y.place(value)}H${BOX.width - BOX.right}` })),
    ...y.ticks.map((value) => text({ x: BOX.left - 8, y: y.place(value) + 4, "text-anchor": "end" }, quantity(value))),
    ...marks.map((value) => text({ x: x(value), y: bottom + 18, "text-anchor": "middle" }, String(value))),
    text({ class: "axis", x: (BOX.left + BOX.width - BOX.right) / 2, y: BOX.height - 6, "text-anchor": "middle" }, "iterations done"),
    text({ class: "axis", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, y.name),
  ];
}

/**
 * The area between the lowest and the highest curve.
 * @param {Residuals["curves"]} curves
 * @param {(iteration: number) => number} x
 * @param {(value: number) => number} y
 * @returns {string}
 */
function spread(curves, x, y) {
  const length = Math.max(0, ...curves.map(({ residuals }) => residuals.length));
  const edge = (/** @type {(...values: number[]) => number} */ extreme) =>
    Array.from({ length }, (_, index) => {
      const there = curves.flatMap(({ residuals }) => (index < residuals.length ? [residuals[index]] : []));
      return `${x(index).toFixed(1)} ${y(extreme(...there)).toFixed(1)}`;
    });
  return length ? `M${[...edge(Math.max), ...edge(Math.min).reverse()].join("L")}Z` : "";
}

/** @returns {SVGElement[]} */
function legend() {
  const right = BOX.width - BOX.right - 8;
  return [
    drawn("path", { class: "median", d: `M${right - 150} 24h24` }),
    drawn("text", { x: right - 120, y: 28 }, "median"),
    drawn("rect", { class: "spread", x: right - 150, y: 36, width: 24, height: 12 }),
    drawn("text", { x: right - 120, y: 46 }, "lowest to highest"),
  ];
}

/** @param {Residuals} residuals @returns {HTMLElement} the same as numbers */
function numbers({ median }) {
  const rows = median.map((value, index) => element("tr", {}, element("th", { scope: "row", class: "n" }, index), element("td", { class: "n" }, quantity(value))));
  const head = element("tr", {}, element("th", { scope: "col", class: "n" }, "Iteration"), element("th", { scope: "col", class: "n" }, "Median"));
  return element("details", {}, element("summary", {}, "As numbers"), element("table", { class: "narrow" }, element("thead", {}, head), element("tbody", {}, ...rows)));
}
