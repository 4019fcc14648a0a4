/** The calibration picture, and the same enlarged. */

import { element } from "./dom.js";
import { address } from "./early.js";
import { button } from "./fields.js";

/** @param {HTMLElement} place @param {boolean} isThere */
export function showCalibration(place, isThere) {
  if (place.dataset.isThere === String(isThere)) return;
  place.dataset.isThere = String(isThere);
  const title = element("h2", { id: "calibration-title" }, "Calibration");
  if (!isThere) {
    place.replaceChildren(title, element("p", { class: "empty" }, "The picture appears when the task “calibrate” has ended."));
    return;
  }
  const picture = () => element("img", { src: address("picture/lattice.png"), alt: "The lattice of lenslets over the calibration frame" });
  /** @type {HTMLDialogElement} */
  const dialog = element("dialog", { class: "enlarged", "aria-label": "Calibration, enlarged" },
    element("div", { class: "scroll", tabindex: 0 }, picture()), button("Close", () => dialog.close()));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const small = picture();
  small.addEventListener("error", () => {
    place.replaceChildren(title, element("p", { class: "empty" }, "The calibration picture could not be read."));
    delete place.dataset.isThere;
  });
  const enlarge = element("button", { type: "button", class: "picture", title: "Enlarge" }, small);
  enlarge.addEventListener("click", () => dialog.showModal());
  const caption = "Lines are cells, crosses the lattice, dots measured centres. A dot beside its cross everywhere in one direction means a wrong fit.";
  place.replaceChildren(title, element("figure", {}, enlarge, element("figcaption", {}, caption)), dialog);
}
