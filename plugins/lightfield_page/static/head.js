/** The head of a run: what it is, how far it is, what it takes and costs. */

import { bar } from "./bars.js";
import { element, replace } from "./dom.js";
import { address, dagId, runId } from "./early.js";
import { count, duration, hours, percent, plural } from "./format.js";
import { leaving } from "./links.js";
import { airflowAddress } from "./server.js";
import { badge, isOver } from "./states.js";

/**
 * @typedef {object} Stage
 * @property {string} stage
 * @property {number} items
 * @property {number} done
 * @property {number} quarantined
 * @property {number} to_go
 * @property {number | null} items_per_minute
 * @property {number | null} seconds_left
 * @property {number} job_seconds
 * @property {number | null} running_jobs
 * @property {number} failed_jobs
 */
/** @typedef {{stage: string, slice: number, label: string, message: string, exit_code: number | null, permanent: boolean, job_id: string}} Failure */
/**
 * @typedef {object} Progress
 * @property {string} state
 * @property {string} dataset
 * @property {string} run
 * @property {Record<string, any>} requested
 * @property {string | null} settings_hash
 * @property {{total: number, done: number, quarantined: number, to_go: number}} frames
 * @property {Stage[]} stages
 * @property {number | null} seconds_left
 * @property {{cpu_job_hours: number, gpu_job_hours: number, dollars: number | null, how: string}} cost
 * @property {Failure[]} failures
 * @property {{volume: boolean, lattice: boolean, report: boolean}} has
 */

/** @param {string} path @returns {string} its last part, which people know a data set by */
export function shortName(path) {
  return path.replace(/\/+$/, "").split("/").pop() || path;
}

/** @param {HTMLElement} place @param {Progress} progress */
export function showHead(place, progress) {
  const { dataset, run, state, frames } = progress;
  const name = shortName(dataset || runId);
  document.title = `${name} – light field`;
  replace(
    place,
    element("div", { class: "title" }, element("h1", {}, name), badge(state), element("span", { class: "grow" }),
      progress.has.report && leaving(address("report"), "Report", "_blank"),
      leaving(airflowAddress(dagId, runId), "Airflow run", "_top")),
    element("p", { class: "paths quiet" }, "Data set ", element("code", {}, dataset), " · run ", element("code", {}, run || "not known yet")),
    element("div", { class: "tiles" },
      tile("Frames", `${count(frames.done)} of ${count(frames.total)}`,
        bar(frames.done, frames.quarantined, frames.total), frames.total ? `${percent(frames.done, frames.total)}, ${count(frames.to_go)} to go` : "not planned yet"),
      tile("Failed", count(frames.quarantined), frames.quarantined ? "in quarantine" : "none in quarantine"),
      tile("Time left", ...timeLeft(progress)),
      tile(...cost(progress.cost)),
    ),
  );
}

/** @param {Progress} progress @returns {[string, string]} */
function timeLeft({ state, seconds_left: left }) {
  if (isOver(state)) return ["–", "the run is over"];
  return [duration(left), left === null ? "not known yet" : "at this rate"];
}

/**
 * @param {Progress["cost"]} cost
 * @returns {[string, string, string]}
 */
function cost({ cpu_job_hours: cpu, gpu_job_hours: gpu, dollars }) {
  const time = `CPU ${hours(cpu * 3600)} h, GPU ${hours(gpu * 3600)} h`;
  if (dollars === null) return ["Job time so far", time, "no price is set"];
  return ["Cost so far", `$ ${dollars.toFixed(2)}`, `${time} of jobs`];
}

/**
 * @param {string} name
 * @param {string} value
 * @param {...(string | Node)} notes
 * @returns {HTMLElement}
 */
function tile(name, value, ...notes) {
  const spoken = notes.map((note) => (typeof note === "string" ? element("span", { class: "note", title: note }, note) : note));
  return element("div", { class: "tile" }, element("span", { class: "name" }, name), element("b", {}, value), ...spoken);
}

/** @param {Progress} progress @returns {string} for the notice that a screen reader hears at the end */
export function ending(progress) {
  return `The run has ended: ${progress.state}, ${plural(progress.frames.done, "frame")} done.`;
}
