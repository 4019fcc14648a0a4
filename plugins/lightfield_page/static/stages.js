/** The table of stages, and the list of jobs that failed. */

import { bar } from "./bars.js";
import { element, replace } from "./dom.js";
import { address } from "./early.js";
import { count, duration, hours, percent, plural, quantity } from "./format.js";
import { leaving } from "./links.js";

/** @typedef {import("./head.js").Progress} Progress */
/** @typedef {import("./head.js").Stage} Stage */

const COLUMNS = ["Done", "Failed", "To go", "Items a minute", "Time left", "Jobs running", "Jobs failed", "Job hours"];

/** @param {HTMLElement} place @param {Progress} progress */
export function showStages(place, progress) {
  const title = element("h2", { id: "stages-title" }, "Stages");
  if (progress.stages.every(({ items }) => items === 0)) {
    replace(place, title, element("p", { class: "empty" }, "Nothing is planned yet. The stages appear when the task “plan” has ended."));
    return;
  }
  const head = element("tr", {}, element("th", { scope: "col" }, "Stage"), element("th", { scope: "col" }, "Progress"),
    ...COLUMNS.map((name) => element("th", { scope: "col", class: "n" }, name)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...progress.stages.map(row)));
  replace(place, title, element("div", { class: "wide", tabindex: 0, role: "region", "aria-labelledby": "stages-title" }, table),
    element("p", { class: "quiet" }, `Cost: ${progress.cost.how}`));
}

/** @param {Stage} stage @returns {HTMLElement} */
function row(stage) {
  const number = (/** @type {string} */ text, /** @type {string} */ kind = "") => element("td", { class: `n ${kind}` }, text);
  const isDone = stage.to_go === 0;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, stage.stage),
    element("td", { class: "bar-place" }, bar(stage.done, stage.quarantined, stage.items),
      element("span", { class: "share" }, percent(stage.done, stage.items))),
    number(`${count(stage.done)} / ${count(stage.items)}`),
    number(count(stage.quarantined), stage.quarantined ? "look" : ""),
    number(count(stage.to_go)),
    number(isDone ? "–" : quantity(stage.items_per_minute)),
    number(isDone ? "–" : duration(stage.seconds_left)),
    number(count(stage.running_jobs)),
    number(count(stage.failed_jobs), stage.failed_jobs ? "look" : ""),
    number(hours(stage.job_seconds)),
  );
}

/** @param {HTMLElement} place @param {Progress} progress */
export function showFailures(place, progress) {
  const { failures } = progress;
  place.hidden = failures.length === 0;
  const rows = failures.map((failure) =>
    element("li", {},
      element("p", {}, element("b", {}, `${failure.stage}, ${failure.label || `slice ${failure.slice}`}`), " ",
        element("span", { class: "quiet" }, describe(failure)), " ",
        leaving(address("log", { stage: failure.stage, slice: failure.slice }), "job's log", "_blank")),
      element("p", { class: "reason" }, failure.message)));
  const title = `Failed jobs (${failures.length === 100 ? "the first 100" : count(failures.length)})`;
  replace(place, element("h2", { id: "failures-title" }, title), element("ul", { class: "failures" }, ...rows));
}

/** @param {import("./head.js").Failure} failure @returns {string} */
function describe({ exit_code: code, permanent }) {
  const exit = code === null ? "no exit code" : `exit code ${code}`;
  return `${exit}; ${permanent ? "trying again cannot help" : "trying again may help"}`;
}

/** @param {number} number @returns {string} */
export function itemsInQuarantine(number) {
  return number ? `${plural(number, "item")} could not be processed.` : "Nothing: no item was refused.";
}
