/** The controls beside the picture. They say what was moved, and show the state that they are given. */

import { mapNames } from "./colours.js";
import { histogram } from "./contrast.js";
import { drawn, element } from "./dom.js";
import { button, choice, segments, slider } from "./fields.js";
import { count, micrometres, quantity } from "./format.js";
import { strip } from "./frames.js";
import { MOST_ZOOM } from "./geometry.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */

/** Steps of the sliders of contrast over their range of values. */
const STEPS = 1000;
const BINS = 128;

export class Controls {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const [frames, planes] = viewer.volume.shape;
    this.mode = segments("What is shown", [["projections", "Projections"], ["slices", "Slices"]], (mode) => viewer.setMode(mode));
    this.time = slider("Frame", { min: 0, max: frames - 1 }, (t) => viewer.setFrame(t));
    this.number = element("input", { type: "number", min: 0, max: frames - 1, "aria-label": "Frame number" });
    this.number.addEventListener("change", () => viewer.setFrame(Number(this.number.value)));
    this.play = button("▶ Play", () => viewer.togglePlay(), { "aria-pressed": "false" });
    this.strip = element("div", { class: "strip-place" });
    this.depth = slider("Plane", { min: 0, max: planes - 1 }, (z) => viewer.move({ z }));
    this.low = slider("Low", { min: 0, max: STEPS }, (step) => viewer.setLow(this.valueOf(step)));
    this.high = slider("High", { min: 0, max: STEPS }, (step) => viewer.setHigh(this.valueOf(step)));
    this.gamma = slider("Gamma", { min: 0.2, max: 3, step: 0.05 }, (gamma) => viewer.setContrast({ gamma }));
    this.map = choice("Colours", mapNames, (name) => viewer.setMap(name));
    this.counts = drawn("svg", { class: "histogram", viewBox: `0 0 ${BINS} 32`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.zoomed = element("output", { class: "number" });
    this.zoomOut = button("−", () => viewer.zoomBy(1 / 2), { "aria-label": "Zoom out" });
    this.zoomIn = button("+", () => viewer.zoomBy(2), { "aria-label": "Zoom in" });
    this.node = this.build();
  }

  /** @returns {HTMLElement} */
  build() {
    const group = (/** @type {string} */ name, /** @type {Node[]} */ ...rows) =>
      element("div", { class: "group", role: "group", "aria-label": name }, ...rows);
    return element(
      "div",
      { class: "controls" },
      group("View", this.mode.row),
      group(
        "Time and depth",
        this.time.row,
        this.strip,
        element("div", { class: "row" }, this.play, element("span", { class: "grow" }), this.number),
        this.depth.row,
      ),
      group(
        "Contrast",
        this.counts,
        this.low.row,
        this.high.row,
        this.gamma.row,
        element("div", { class: "row" }, this.map.row, element("span", { class: "grow" }),
          button("Auto", () => this.viewer.autoContrast(), { title: "0.1 to 99.9 per cent of the pixels shown" })),
      ),
      group(
        "Zoom",
        element("div", { class: "row" }, this.zoomOut, this.zoomed, this.zoomIn,
          button("Fit", () => this.viewer.fit()), element("span", { class: "grow" }),
          button("Keys (?)", () => this.viewer.help.showModal())),
      ),
    );
  }

  /** @param {number} step @returns {number} of the values */
  valueOf(step) {
    const { low, high } = this.viewer.range;
    return low + ((high - low) * step) / STEPS;
  }

  /** @param {number} value @returns {number} step of a slider */
  stepOf(value) {
    const { low, high } = this.viewer.range;
    return Math.round((STEPS * (value - low)) / (high - low || 1));
  }

  /** Show the viewer's state. */
  sync() {
    const { volume, mode, frame, point, contrast, map, zoom } = this.viewer;
    const [frames, planes] = volume.shape;
    this.mode.set(mode);
    const isShort = frames === 1;
    this.time.input.disabled = this.play.disabled = this.number.disabled = isShort;
    const seconds = volume.frame_interval_s ? `, t = ${quantity(frame * volume.frame_interval_s)} s` : "";
    this.time.set(frame, `${count(frame)}${seconds} (0 to ${count(frames - 1)})`);
    if (document.activeElement !== this.number) this.number.value = String(frame);
    this.depth.input.disabled = mode === "projections" || planes === 1;
    const plane = `z = ${micrometres(volume.planes_um[point.z])}, plane ${point.z + 1} of ${planes}`;
    this.depth.set(point.z, mode === "projections" ? "all planes" : plane);
    this.low.set(this.stepOf(contrast.low), quantity(contrast.low));
    this.high.set(this.stepOf(contrast.high), quantity(contrast.high));
    this.gamma.set(contrast.gamma, contrast.gamma.toFixed(2));
    this.map.set(map);
    this.zoomed.textContent = `${zoom} ×`;
    this.zoomOut.disabled = zoom === 1;
    this.zoomIn.disabled = zoom === MOST_ZOOM;
    this.drawWindow();
  }

  /** @param {boolean} isPlaying */
  showPlaying(isPlaying) {
    this.play.textContent = isPlaying ? "❚❚ Pause" : "▶ Play";
    this.play.setAttribute("aria-pressed", String(isPlaying));
  }

  /** Show which frames are there. */
  showFrames() {
    const { volume } = this.viewer;
    this.strip.replaceChildren(strip(volume.done, volume.shape[0]));
  }

  /** Count the pixels shown; the contrast's window is drawn over them. */
  showHistogram() {
    const { pictures, range } = this.viewer;
    const counts = histogram(pictures, range, BINS);
    const top = Math.log1p(Math.max(...counts));
    const steps = Array.from(counts, (number, bin) => `H${bin}V${(32 - (30 * Math.log1p(number)) / (top || 1)).toFixed(1)}H${bin + 1}`);
    this.counts.replaceChildren(
      drawn("path", { class: "counts", d: `M0 32${steps.join("")}V32Z` }),
      drawn("path", { class: "window" }),
    );
    this.drawWindow();
  }

  drawWindow() {
    const [low, high] = [this.viewer.contrast.low, this.viewer.contrast.high].map((value) => (BINS * this.stepOf(value)) / STEPS);
    this.counts.querySelector(".window")?.setAttribute("d", `M${low} 0V32M${high} 0V32M${low} 32L${high} 0`);
  }
}
