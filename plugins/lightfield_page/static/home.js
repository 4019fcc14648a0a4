/** The list of recent runs. */

import { bar } from "./bars.js";
import { byId, element, replace } from "./dom.js";
import { count, duration, moment } from "./format.js";
import { shortName } from "./head.js";
import { followLeavingLinks } from "./links.js";
import { poll } from "./poll.js";
import { badge, isOver } from "./states.js";
import { getJson } from "./server.js";
import { followTheme } from "./theme.js";

/** @typedef {{dag_id: string, run_id: string, state: string, dataset: string | null, run: string | null, start: string | null, end: string | null}} Run */
/** @typedef {import("./head.js").Progress["frames"]} Frames */

const LIMIT = 50;
const REFRESH_MS = 15000;
/** Runs whose progress is asked for; the list itself is cheap, a run's progress is not. */
const WITH_PROGRESS = 20;

/** @type {Map<string, {frames: Frames | null, isFinal: boolean}>} */
const known = new Map();

followTheme();
followLeavingLinks();

/** @param {Run} run @returns {string} */
const key = ({ dag_id: dag, run_id: run }) => `${dag}\n${run}`;

/** @param {Run[]} runs */
function show(runs) {
  if (!runs.length) {
    replace(byId("runs"), element("p", { class: "empty tall" }, "No runs yet. Trigger the DAG lightfield_reconstruction with a data set, and it appears here."));
    return;
  }
  const names = ["State", "Data set", "Frames", "Started", "Took", "Run"];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: name === "Took" && "n" }, name)));
  const table = element("table", { class: "runs" }, element("thead", {}, head), element("tbody", {}, ...runs.map(row)));
  replace(byId("runs"), element("div", { class: "wide" }, table));
}

/** @param {Run} run @returns {HTMLElement} */
function row(run) {
  const href = `run?${new URLSearchParams({ dag_id: run.dag_id, run_id: run.run_id })}`;
  const frames = known.get(key(run))?.frames;
  const took = run.start ? (Date.parse(run.end ?? new Date().toISOString()) - Date.parse(run.start)) / 1000 : null;
  return element(
    "tr",
    {},
    element("td", {}, badge(run.state)),
    element("td", {}, element("a", { href }, run.dataset ? shortName(run.dataset) : run.run_id),
      element("div", { class: "quiet path" }, run.dataset ?? "data set not known")),
    frames?.total
      ? element("td", { class: "bar-place" }, bar(frames.done, frames.quarantined, frames.total),
        element("span", { class: "share" }, `${count(frames.done)} / ${count(frames.total)}`))
      : element("td", { class: "quiet" }, "–"),
    element("td", { class: "when" }, moment(run.start)),
    element("td", { class: "n" }, duration(took)),
    element("td", { class: "quiet name" }, run.run_id),
  );
}

/** @param {Run[]} runs */
async function learnProgress(runs) {
  for (const run of runs.slice(0, WITH_PROGRESS)) {
    if (known.get(key(run))?.isFinal) continue;
    try {
      const { frames, state } = await getJson("api/progress", { dag_id: run.dag_id, run_id: run.run_id });
      known.set(key(run), { frames, isFinal: isOver(state) });
      show(runs);
    } catch {
      // A run whose folder cannot be read has no progress; the list says so with a dash.
      known.set(key(run), { frames: null, isFinal: isOver(run.state) });
    }
  }
}

poll(
  async () => {
    const { runs } = await getJson("api/runs", { limit: LIMIT });
    show(runs);
    await learnProgress(runs);
    return true;
  },
  (problem) => {
    byId("notice").hidden = problem === null;
    byId("notice").textContent = problem ? `${problem.message}; the page goes on asking.` : "";
  },
  REFRESH_MS,
);
