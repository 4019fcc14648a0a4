/** What was asked for: the run's conf, a line for each key. */

import { element, replace } from "./dom.js";

/** @param {HTMLElement} place @param {import("./head.js").Progress} progress */
export function showRequested(place, progress) {
  const rows = [...lines(progress.requested)].map(([key, value]) =>
    element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, element("code", {}, value))));
  const hash = progress.settings_hash && element("p", { class: "quiet" }, "Settings as resolved: ", element("code", {}, progress.settings_hash));
  replace(
    place,
    element("h2", { id: "requested-title" }, "What was asked for"),
    rows.length
      ? element("div", { class: "wide" }, element("table", { class: "conf" }, element("tbody", {}, ...rows)))
      : element("p", { class: "empty" }, "Nothing beside the data set's own settings."),
    hash,
  );
}

/**
 * @param {unknown} value
 * @param {string} [key]
 * @returns {Generator<[string, string]>} dotted keys and their values
 */
function* lines(value, key = "") {
  if (value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) {
    for (const [name, inner] of Object.entries(value)) yield* lines(inner, key ? `${key}.${name}` : name);
  } else if (key) {
    yield [key, typeof value === "string" ? value : JSON.stringify(value)];
  }
}
