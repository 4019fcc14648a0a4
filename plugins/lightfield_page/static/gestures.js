/** Keys and pointers on the viewer's panels. */

import { isTyping } from "./help.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */
/** @typedef {import("./panel.js").PanelView} PanelView */

/** @type {Record<string, (viewer: Viewer) => void>} */
const LETTERS = {
  ",": (viewer) => viewer.setFrame(viewer.frame - 1),
  ".": (viewer) => viewer.setFrame(viewer.frame + 1),
  p: (viewer) => viewer.togglePlay(),
  m: (viewer) => viewer.setMode(viewer.mode === "slices" ? "projections" : "slices"),
  a: (viewer) => viewer.autoContrast(),
  "+": (viewer) => viewer.zoomBy(2),
  "=": (viewer) => viewer.zoomBy(2),
  "-": (viewer) => viewer.zoomBy(1 / 2),
  0: (viewer) => viewer.fit(),
};

/** @param {Viewer} viewer */
export function listenToKeys(viewer) {
  viewer.node.addEventListener("keydown", (event) => {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const panel = viewer.panels.find(({ canvas }) => canvas === event.target);
    if (panel && viewer.mode === "slices" && moveCrosshair(viewer, panel, event)) event.preventDefault();
    else LETTERS[event.key.toLowerCase()]?.(viewer);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event) && viewer.node.isConnected && !viewer.help.open) viewer.help.showModal();
  });
}

/**
 * @param {Viewer} viewer
 * @param {PanelView} panel
 * @param {KeyboardEvent} event
 * @returns {boolean} whether it was a key of the crosshair
 */
function moveCrosshair(viewer, panel, event) {
  const { horizontal, vertical, across } = panel.layout;
  const step = event.shiftKey ? 10 : 1;
  const up = vertical === "z" ? step : -step;
  /** @type {Record<string, [import("./geometry.js").Axis, number]>} */
  const moves = {
    ArrowLeft: [horizontal, -step],
    ArrowRight: [horizontal, step],
    ArrowUp: [vertical, up],
    ArrowDown: [vertical, -up],
    PageUp: [across, step],
    PageDown: [across, -step],
  };
  const move = moves[event.key];
  if (!move) return false;
  viewer.move({ [move[0]]: viewer.point[move[0]] + move[1] });
  return true;
}

/** @param {Viewer} viewer @param {PanelView} panel */
export function listenToPointer(viewer, panel) {
  const { canvas, layout } = panel;
  let last = { x: 0, y: 0 };
  const place = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    if (viewer.mode === "slices" && !event.shiftKey) viewer.move(panel.voxelAt(last.x, last.y, viewer.spans));
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    const voxel = panel.voxelAt(now.x, now.y, viewer.spans);
    if (canvas.hasPointerCapture(event.pointerId)) {
      if (viewer.mode === "slices" && !event.shiftKey) viewer.move(voxel);
      else pan(viewer, panel, last, now);
      last = now;
    }
    viewer.tell(voxel, panel);
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { x, y } = place(event);
    const voxel = panel.voxelAt(x, y, viewer.spans);
    viewer.zoomBy(event.deltaY < 0 ? 2 : 1 / 2, { [layout.horizontal]: voxel[layout.horizontal], [layout.vertical]: voxel[layout.vertical] });
  }, { passive: false });
}

/**
 * @param {Viewer} viewer
 * @param {PanelView} panel
 * @param {{x: number, y: number}} last
 * @param {{x: number, y: number}} now
 */
function pan(viewer, panel, last, now) {
  const { horizontal, vertical } = panel.layout;
  const across = viewer.spans[horizontal];
  const down = viewer.spans[vertical];
  viewer.pan(horizontal, ((last.x - now.x) * (across.to - across.from)) / panel.width);
  viewer.pan(vertical, ((vertical === "z" ? now.y - last.y : last.y - now.y) * (down.to - down.from)) / panel.height);
}
