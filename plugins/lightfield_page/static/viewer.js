/** The volume: three panels, what they show, and the pictures that this takes. */

import { colourMap } from "./colours.js";
import { percentiles } from "./contrast.js";
import { Controls } from "./controls.js";
import { element } from "./dom.js";
import { address } from "./early.js";
import { micrometres, quantity } from "./format.js";
import { isThere, nextThere } from "./frames.js";
import { MOST_ZOOM, PANELS, layOut, span } from "./geometry.js";
import { helpDialog } from "./help.js";
import { PanelView } from "./panel.js";
import { PictureStore } from "./pictures.js";
import { listenToKeys, listenToPointer } from "./gestures.js";
import { ServerError, getPicture } from "./server.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Axis} Axis */

/**
 * @typedef {object} Volume
 * @property {[number, number, number, number]} shape t, z, y, x
 * @property {[number, number, number]} voxel_um z, y, x
 * @property {number[]} planes_um
 * @property {number | null} frame_interval_s
 * @property {[number, number]} display
 * @property {import("./frames.js").Ranges} done
 */

/** A request has this long before it is given up for a newer one, so that a slider being moved shows its way. */
const PATIENCE_MS = 120;
const PLAY_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 500 : 100;
/** After this the reader is told that a picture is on its way. */
const SLOW_MS = 500;
/** The mark that tells how long the reader waited. */
const FIRST_PICTURE = "first picture";
const AUTO = /** @type {const} */ ([0.001, 0.999]);

export class Viewer {
  /** @param {HTMLElement} root @param {Volume} volume with at least one frame that is there */
  constructor(root, volume) {
    this.volume = volume;
    const [, z, y, x] = volume.shape;
    /** @type {Point} */ this.sizes = { x, y, z };
    /** @type {Point} */ this.voxel = { x: volume.voxel_um[2], y: volume.voxel_um[1], z: volume.voxel_um[0] };
    /** @type {Point} */ this.point = { x: x >> 1, y: y >> 1, z: z >> 1 };
    /** @type {Point} */ this.centre = { ...this.point };
    /** @type {"projections" | "slices"} */ this.mode = "projections";
    this.frame = volume.done[0][0];
    this.contrast = { low: volume.display[0], high: volume.display[1], gamma: 1 };
    this.range = { low: Math.min(0, volume.display[0]), high: volume.display[1] };
    this.hasContrast = false;
    /** @type {import("./colours.js").MapName} */ this.map = "grey";
    this.zoom = 1;
    this.isPlaying = false;
    this.store = new PictureStore(getPicture);
    this.panels = PANELS.map((layout) => new PanelView(layout));
    this.began = 0;
    this.inFlight = false;
    this.asked = 0;
    this.timer = 0;
    this.drawing = 0;
    this.isStale = false;
    this.scale = 1;
    this.help = helpDialog();
    this.readout = element("p", { class: "readout", "aria-live": "off" });
    this.message = element("p", { class: "message", role: "status" });
    this.stage = element("div", { class: "stage" }, ...this.panels.map(({ canvas }) => canvas));
    this.place = element("div", { class: "place" }, this.stage, this.message, this.readout);
    this.controls = new Controls(this);
    this.node = element("div", { class: "viewer" }, this.place, this.controls.node, this.help);
    root.replaceChildren(this.node);
    this.listen();
    this.controls.showFrames();
    this.resize();
    this.sync();
    this.wantNow();
  }

  listen() {
    new ResizeObserver(() => this.resize()).observe(this.place);
    addEventListener("resize", () => this.resize());
    listenToKeys(this);
    for (const panel of this.panels) listenToPointer(this, panel);
  }

  /** @returns {import("./server.js").Picture[]} */
  get pictures() {
    return this.panels.flatMap(({ picture }) => picture ?? []);
  }

  /** @param {Volume} volume the same, with other frames there */
  update(volume) {
    const wasThere = this.isFrameThere;
    this.volume = volume;
    this.controls.showFrames();
    if (!wasThere && this.isFrameThere) this.wantNow();
  }

  get isFrameThere() {
    return isThere(this.volume.done, this.frame);
  }

  /** @param {"projections" | "slices"} mode */
  setMode(mode) {
    this.mode = mode;
    this.changed();
  }

  /** @param {number} frame */
  setFrame(frame) {
    const wanted = Math.round(frame) || 0;
    this.frame = Math.min(Math.max(wanted, 0), this.volume.shape[0] - 1);
    this.changed();
  }

  /** @param {Partial<Point>} where in voxels; the axes left out stay */
  move(where) {
    for (const [axis, value] of /** @type {[Axis, number][]} */ (Object.entries(where))) {
      this.point[axis] = Math.min(Math.max(value, 0), this.sizes[axis] - 1);
      const { from, to } = this.spans[axis];
      if (this.point[axis] < from || this.point[axis] + 1 > to) this.centre[axis] = this.point[axis];
    }
    this.changed();
  }

  /** @param {number} factor @param {Partial<Point>} [around] in voxels; by default the crosshair */
  zoomBy(factor, around = this.mode === "slices" ? this.point : {}) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM);
    const share = this.zoom / zoom;
    for (const [axis, value] of /** @type {[Axis, number][]} */ (Object.entries(around))) {
      // The voxel under the pointer stays there.
      this.centre[axis] = value + (this.centre[axis] - value) * share;
    }
    this.zoom = zoom;
    this.sync();
    this.drawSoon();
  }

  fit() {
    this.zoomBy(1 / MOST_ZOOM);
  }

  /** @param {Axis} axis @param {number} voxels by which the picture is moved back */
  pan(axis, voxels) {
    const half = this.sizes[axis] / this.zoom / 2;
    this.centre[axis] = Math.min(Math.max(this.centre[axis] + voxels, half - 0.5), this.sizes[axis] - half - 0.5);
    this.drawSoon();
  }

  /** @param {Partial<import("./contrast.js").Contrast>} part */
  setContrast(part) {
    Object.assign(this.contrast, part);
    this.hasContrast = true;
    this.repaint();
    this.sync();
  }

  /** @param {number} low */
  setLow(low) {
    this.setContrast({ low: Math.min(low, this.contrast.high - this.leastWindow) });
  }

  /** @param {number} high */
  setHigh(high) {
    this.setContrast({ high: Math.max(high, this.contrast.low + this.leastWindow) });
  }

  get leastWindow() {
    return (this.range.high - this.range.low) / 1000;
  }

  autoContrast() {
    if (this.pictures.length) this.setContrast(percentiles(this.pictures, ...AUTO));
  }

  /** @param {import("./colours.js").MapName} map */
  setMap(map) {
    this.map = map;
    this.repaint();
    this.sync();
  }

  togglePlay() {
    this.isPlaying = !this.isPlaying && this.volume.done.length > 0;
    this.controls.showPlaying(this.isPlaying);
    if (this.isPlaying) this.play();
  }

  async play() {
    while (this.isPlaying && this.node.isConnected) {
      const due = performance.now() + PLAY_MS;
      const next = nextThere(this.volume.done, this.frame);
      if (next === null) break;
      this.frame = next;
      this.sync();
      await this.wantNow();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
  }

  changed() {
    this.sync();
    this.drawSoon();
    clearTimeout(this.timer);
    const rest = this.inFlight ? this.began + PATIENCE_MS - performance.now() : 0;
    if (rest > 0) this.timer = window.setTimeout(() => this.wantNow(), rest);
    else this.wantNow();
  }

  /** @param {number} frame @param {Point} point @returns {string[]} the addresses of the panels' pictures */
  addresses(frame, point) {
    return PANELS.map(({ across }) =>
      this.mode === "projections"
        ? address("api/projection", { t: frame, axis: across })
        : address("api/slice", { t: frame, axis: across, index: point[across] }));
  }

  /** @returns {string[]} what the next step of a slider or of playing may want */
  nextAddresses() {
    const next = nextThere(this.volume.done, this.frame) ?? this.frame;
    const later = this.addresses(next, this.point);
    if (this.isPlaying || this.mode === "projections") return later;
    const near = [1, -1, 2, -2].map((step) => this.point.z + step).filter((z) => z >= 0 && z < this.sizes.z);
    return [...near.map((z) => this.addresses(this.frame, { ...this.point, z })[0]), ...later];
  }

  /** Ask for the pictures of the present state and show them. */
  async wantNow() {
    clearTimeout(this.timer);
    const asked = ++this.asked;
    this.say("");
    if (!this.isFrameThere) {
      this.store.want([], []);
      this.inFlight = false;
      this.say(`Frame ${this.frame} is not there: to come, or in quarantine.`);
      this.drawSoon();
      return;
    }
    this.began = performance.now();
    this.inFlight = true;
    const slow = setTimeout(() => {
      if (asked === this.asked) this.say("The picture is on its way …");
      this.drawSoon();
    }, SLOW_MS);
    const urls = this.addresses(this.frame, this.point);
    const isFirst = this.pictures.length < this.panels.length;
    const coming = this.store.want(urls, this.nextAddresses()).map(async (promise, place) => {
      const picture = await promise;
      // At first each panel is shown as it comes; later all change together, so that no two frames are mixed.
      if (isFirst && asked === this.asked) this.show([place], [picture], urls);
      return picture;
    });
    try {
      const pictures = await Promise.all(coming);
      if (asked === this.asked) this.say("");
      if (asked === this.asked && !isFirst) this.show([0, 1, 2], pictures, urls);
    } catch (error) {
      if (asked === this.asked) this.explain(error);
    }
    clearTimeout(slow);
    if (asked === this.asked) this.inFlight = false;
  }

  /**
   * @param {number[]} places of panels
   * @param {import("./server.js").Picture[]} pictures of those
   * @param {string[]} urls of all panels
   */
  show(places, pictures, urls) {
    places.forEach((place, index) => {
      const { picture, canvas } = this.panels[place];
      if (picture === pictures[index]) return;
      this.panels[place].picture = pictures[index];
      canvas.dataset.shown = urls[place];
      this.range.low = Math.min(this.range.low, pictures[index].low);
      this.range.high = Math.max(this.range.high, pictures[index].high);
    });
    if (!this.hasContrast) Object.assign(this.contrast, percentiles(this.pictures, ...AUTO));
    const isComplete = this.pictures.length === this.panels.length;
    const isFirst = isComplete && performance.getEntriesByName(FIRST_PICTURE).length === 0;
    this.hasContrast ||= isComplete;
    this.controls.showHistogram();
    this.sync();
    this.repaint();
    if (!isFirst) return;
    this.draw();
    performance.mark(FIRST_PICTURE);
  }

  /** @param {unknown} error */
  explain(error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    const reason = error instanceof Error ? error.message : String(error);
    const isAbsent = error instanceof ServerError && error.status === 404;
    this.say(isAbsent ? `Frame ${this.frame}: ${reason}` : `The picture did not come: ${reason}`);
    this.drawSoon();
  }

  /** @param {string} text a remark over the picture; the picture under a remark is not of the frame asked for */
  say(text) {
    if (this.message.textContent !== text) this.message.textContent = text;
  }

  /** Colour the pictures anew before they are next drawn: once, however often a slider has moved by then. */
  repaint() {
    this.isStale = true;
    this.drawSoon();
  }

  get spans() {
    const of = (/** @type {Axis} */ axis) => span(this.sizes[axis], this.centre[axis], this.zoom);
    return { x: of("x"), y: of("y"), z: of("z") };
  }

  resize() {
    const width = this.place.clientWidth - 24;
    // The whole picture and its readout are seen without scrolling, unless the window is low.
    const height = Math.max(window.innerHeight - this.place.offsetTop - 64, window.innerHeight * 0.6, 300);
    const { size, scale } = layOut(this.sizes, this.voxel, Math.max(width, 120), height);
    this.scale = scale;
    for (const panel of this.panels) panel.resize(size[panel.layout.horizontal], size[panel.layout.vertical]);
    this.stage.style.gridTemplateColumns = `${size.x}px ${size.z}px`;
    this.draw();
  }

  drawSoon() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (this.isStale) for (const panel of this.panels) panel.paint(this.contrast, colourMap(this.map));
    this.isStale = false;
    const crosshair = this.mode === "slices" ? this.point : null;
    const isDimmed = Boolean(this.message.textContent);
    for (const panel of this.panels) panel.draw({ spans: this.spans, crosshair, scale: this.scale * this.zoom, isDimmed });
  }

  sync() {
    this.controls.sync();
    for (const { canvas, layout } of this.panels) {
      const what = this.mode === "slices" ? `slice at ${layout.across} = ${micrometres(this.um(layout.across, this.point[layout.across]))}` : "maximum projection";
      canvas.setAttribute("aria-label", `${layout.name} ${what}${this.mode === "slices" ? "; arrow keys move the crosshair" : ""}`);
    }
    if (this.mode === "slices") this.tell(this.point, this.panels[0]);
  }

  /** @param {Axis} axis @param {number} index of a voxel @returns {number} in um */
  um(axis, index) {
    return axis === "z" ? this.volume.planes_um[index] : index * this.voxel[axis];
  }

  /** @param {Partial<Point>} voxel along the panel's axes @param {PanelView} panel */
  tell(voxel, panel) {
    const at = { ...this.point, ...voxel };
    const value = panel.valueAt(at);
    if (value === null) return;
    const axes = /** @type {Axis[]} */ (["x", "y", "z"]).filter((axis) => this.mode === "slices" || axis !== panel.layout.across);
    const place = axes.map((axis) => `${axis} ${micrometres(this.um(axis, at[axis]))}`).join("   ");
    this.readout.textContent = `${place}   value ${quantity(value)}`;
  }
}
