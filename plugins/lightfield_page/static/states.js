/** The state of a run, as a mark and a word; nothing is told by colour alone. */

import { element } from "./dom.js";

/** @type {Record<string, string>} */
const MARKS = { success: "✓", failed: "✕", running: "▶", queued: "…" };

/** @param {string} state of Airflow @returns {boolean} nothing will change any more */
export function isOver(state) {
  return state === "success" || state === "failed";
}

/** @param {string} state @returns {HTMLElement} */
export function badge(state) {
  const kind = state in MARKS ? state : "queued";
  return element("span", { class: `badge ${kind}` }, element("span", { "aria-hidden": "true" }, MARKS[kind] ?? "…"), ` ${state}`);
}
