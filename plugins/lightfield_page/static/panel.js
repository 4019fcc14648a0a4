/** One of the three panels: a canvas that shows a picture, the crosshair and a scale. */

import { coloured, lookUpTable, valueAt } from "./contrast.js";
import { element } from "./dom.js";
import { roundLength, toScreen, toVoxel } from "./geometry.js";

/** @typedef {import("./geometry.js").Panel} Layout */
/** @typedef {import("./geometry.js").Axis} Axis */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Span} Span */
/** @typedef {import("./server.js").Picture} Picture */

/**
 * @typedef {object} Scene what all three panels are drawn by
 * @property {Record<Axis, Span>} spans
 * @property {Point | null} crosshair in voxels
 * @property {number} scale CSS pixels a um
 * @property {boolean} isDimmed the picture is not of the frame asked for
 */

const LIGHT = "#ffffff";
const DARK = "rgba(0, 0, 0, 0.75)";
const CROSS = "#ffd54a";

export class PanelView {
  /** @param {Layout} layout */
  constructor(layout) {
    this.layout = layout;
    this.canvas = element("canvas", { class: "panel", tabindex: 0, role: "application" });
    this.canvas.dataset.panel = layout.name;
    this.stored = document.createElement("canvas");
    /** @type {Picture | null} */
    this.picture = null;
    this.width = 0;
    this.height = 0;
  }

  /** @param {number} width CSS pixels @param {number} height CSS pixels */
  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
  }

  /**
   * @param {import("./contrast.js").Contrast} contrast
   * @param {Uint32Array} map
   */
  paint(contrast, map) {
    if (!this.picture) return;
    const image = coloured(this.picture, lookUpTable(this.picture, contrast, map), this.layout.orientation);
    this.stored.width = image.width;
    this.stored.height = image.height;
    this.stored.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** @param {Scene} scene */
  draw(scene) {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const ratio = this.canvas.width / Math.max(1, this.width);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.picture) this.drawPicture(context, scene);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (scene.crosshair) this.drawCrosshair(context, scene, scene.crosshair);
    this.drawAxes(context);
    if (this.layout.name === "xy") this.drawScaleBar(context, scene.scale);
  }

  /** @param {CanvasRenderingContext2D} context @param {Scene} scene */
  drawPicture(context, scene) {
    const { horizontal, vertical } = this.layout;
    const [across, down] = [scene.spans[horizontal], scene.spans[vertical]];
    const width = across.to - across.from;
    const height = down.to - down.from;
    const top = vertical === "z" ? this.stored.height - down.to : down.from;
    // Voxels stay visible as such when enlarged; when there are more of them than pixels, they are averaged.
    context.imageSmoothingEnabled = this.canvas.width < width;
    context.imageSmoothingQuality = "medium";
    context.globalAlpha = scene.isDimmed ? 0.35 : 1;
    context.drawImage(this.stored, across.from, top, width, height, 0, 0, this.canvas.width, this.canvas.height);
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Point} crosshair */
  drawCrosshair(context, scene, crosshair) {
    const { horizontal, vertical } = this.layout;
    const x = 0.5 + Math.floor(toScreen(crosshair[horizontal] + 0.5, this.width, scene.spans[horizontal], horizontal, false));
    const y = 0.5 + Math.floor(toScreen(crosshair[vertical] + 0.5, this.height, scene.spans[vertical], vertical, true));
    const gap = 7;
    for (const [colour, width] of /** @type {[string, number][]} */ ([[DARK, 3], [CROSS, 1]])) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, this.width, y], [x, 0, x, y - gap], [x, y + gap, x, this.height]]) {
        if (x1 < x0 || y1 < y0) continue;
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
      }
      context.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  drawAxes(context) {
    const { horizontal, vertical } = this.layout;
    if (Math.min(this.width, this.height) < 36) return;
    label(context, `${horizontal} →`, this.width - 6, this.height - 6, "right", "bottom");
    label(context, vertical === "z" ? `↑ ${vertical}` : `↓ ${vertical}`, 6, 6, "left", "top");
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale CSS pixels a um */
  drawScaleBar(context, scale) {
    const length = roundLength((this.width * 0.3) / scale);
    const [left, bottom, width] = [10, this.height - 10, length * scale];
    context.fillStyle = DARK;
    context.fillRect(left - 1.5, bottom - 5.5, width + 3, 7);
    context.fillStyle = LIGHT;
    context.fillRect(left, bottom - 4, width, 4);
    label(context, `${length} um`, left + width / 2, bottom - 8, "center", "bottom");
  }

  /**
   * @param {number} x CSS pixels from the left
   * @param {number} y CSS pixels from the top
   * @param {Record<Axis, Span>} spans
   * @returns {Partial<Point>} the voxel there, along the panel's two axes
   */
  voxelAt(x, y, spans) {
    const { horizontal, vertical } = this.layout;
    return {
      [horizontal]: Math.floor(toVoxel(x, this.width, spans[horizontal], horizontal, false)),
      [vertical]: Math.floor(toVoxel(y, this.height, spans[vertical], vertical, true)),
    };
  }

  /** @param {Point} voxel @returns {number | null} the picture's value there */
  valueAt(voxel) {
    if (!this.picture) return null;
    const { across } = this.layout;
    // Pictures have their axes in the order z, y, x, whatever way round they are shown.
    const [rows, columns] = /** @type {Axis[]} */ (["z", "y", "x"]).filter((axis) => axis !== across);
    const [row, column] = [voxel[rows], voxel[columns]];
    if (row < 0 || column < 0 || row >= this.picture.height || column >= this.picture.width) return null;
    return valueAt(this.picture, row, column);
  }
}

/**
 * Text that can be read on any colour.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {CanvasTextAlign} align
 * @param {CanvasTextBaseline} baseline
 */
function label(context, text, x, y, align, baseline) {
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = DARK;
  context.strokeText(text, x, y);
  context.fillStyle = LIGHT;
  context.fillText(text, x, y);
}
