/** The keys of the viewer, in a dialog. */

import { element } from "./dom.js";
import { button } from "./fields.js";

const KEYS = [
  ["Arrow keys", "on a panel: move the crosshair by a voxel, with Shift by ten"],
  ["Page up, Page down", "on a panel: through the planes across it"],
  ["Arrow keys", "on a slider: by one; Page up and Page down: by more; Home, End: first, last"],
  [", and .", "previous and next frame"],
  ["p", "play over the frames, or pause"],
  ["m", "projections or slices"],
  ["a", "contrast from the picture"],
  ["+ and −", "zoom in and out, around the crosshair; Ctrl + wheel does so too"],
  ["0", "all of the volume"],
  ["?", "this help"],
];
const POINTER = [
  ["Drag", "moves the crosshair in slices; moves a zoomed projection"],
  ["Shift + drag", "moves a zoomed picture"],
];

/** @returns {HTMLDialogElement} closed; it must be put into the page */
export function helpDialog() {
  const table = (/** @type {string[][]} */ rows) =>
    element("table", { class: "keys" }, element("tbody", {}, ...rows.map(([key, text]) =>
      element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, text)))));
  /** @type {HTMLDialogElement} */
  const dialog = element(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    element("h2", { id: "help-title" }, "Keys of the viewer"),
    element("p", { class: "quiet" }, "Letters work while something in the viewer has the focus."),
    table(KEYS),
    element("h2", {}, "Pointer"),
    table(POINTER),
    button("Close", () => dialog.close()),
  );
  return dialog;
}

/** @param {KeyboardEvent} event @returns {boolean} somebody writes text or picks from a list */
export function isTyping(event) {
  const target = event.target;
  if (target instanceof HTMLInputElement) return !["range", "radio", "checkbox", "button"].includes(target.type);
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
