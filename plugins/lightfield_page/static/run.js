/** The page of one run: asks how far it is and shows what has changed. */

import { showCalibration } from "./calibration.js";
import { byId, element, replace } from "./dom.js";
import { howMany } from "./frames.js";
import { ending, showHead } from "./head.js";
import { followLeavingLinks } from "./links.js";
import { poll } from "./poll.js";
import { Quarantine } from "./quarantine.js";
import { showRequested } from "./requested.js";
import { showResiduals } from "./residuals.js";
import { ServerError, getJson } from "./server.js";
import { showFailures, showStages } from "./stages.js";
import { isOver } from "./states.js";
import { followTheme } from "./theme.js";
import { Viewer } from "./viewer.js";

followTheme();
followLeavingLinks();

const quarantine = new Quarantine(byId("quarantine"));
/** What was last seen of the things that are only asked for when they have changed. */
const seen = { frames: -1, quarantined: -1, isRunning: false };
/** @type {Viewer | null} */
let viewer = null;

/** @param {Error | null} problem */
function tell(problem) {
  const notice = byId("notice");
  notice.hidden = problem === null;
  const time = new Date().toLocaleTimeString("en-GB");
  notice.textContent = problem ? `At ${time}: ${problem.message}. What is shown may be old; the page goes on asking.` : "";
}

/** @param {import("./head.js").Progress} progress */
function showProgress(progress) {
  showHead(byId("head"), progress);
  viewer?.resize();
  showStages(byId("stages"), progress);
  showFailures(byId("failures"), progress);
  showCalibration(byId("calibration"), progress.has.lattice);
  showRequested(byId("requested"), progress);
}

async function showVolume() {
  const place = byId("volume");
  try {
    /** @type {import("./viewer.js").Volume} */
    const volume = await getJson("api/volume");
    if (viewer) viewer.update(volume);
    else if (howMany(volume.done)) viewer = new Viewer(place, volume);
    else showWaiting(place);
  } catch (error) {
    if (!(error instanceof ServerError) || ![404, 409].includes(error.status)) throw error;
    if (viewer) return;
    if (error.status === 409) replace(place, element("p", { class: "empty" }, error.message));
    else showWaiting(place);
  }
}

/** @param {HTMLElement} place */
function showWaiting(place) {
  replace(place, element("p", { class: "empty tall" }, "No volume yet. The picture appears here with the first reconstructed frame."));
}

async function showCurves() {
  showResiduals(byId("residuals"), await getJson("api/residuals").catch((error) => {
    if (error instanceof ServerError && error.status === 404) return null;
    throw error;
  }));
}

/** @returns {Promise<boolean>} whether to go on asking */
async function ask() {
  // The volume does not wait for the figures: the first picture is what people come for.
  const early = seen.frames < 0 ? showVolume() : Promise.resolve();
  early.catch(() => {});
  /** @type {import("./head.js").Progress} */
  const progress = await getJson("api/progress");
  showProgress(progress);
  await early;
  const quarantined = progress.stages.reduce((sum, stage) => sum + stage.quarantined, 0);
  if (progress.frames.done !== seen.frames) {
    await Promise.all([seen.frames < 0 ? null : showVolume(), showCurves()]);
    seen.frames = progress.frames.done;
  }
  if (quarantined !== seen.quarantined) {
    await quarantine.load();
    seen.quarantined = quarantined;
  }
  if (isOver(progress.state)) sayItIsOver(progress);
  seen.isRunning = !isOver(progress.state);
  return seen.isRunning;
}

/** @param {import("./head.js").Progress} progress */
function sayItIsOver(progress) {
  if (!viewer && !progress.has.volume) {
    replace(byId("volume"), element("p", { class: "empty tall" }, "No volume: the run has ended without a reconstructed frame."));
  }
  if (!seen.isRunning) return;
  byId("notice").hidden = false;
  byId("notice").textContent = ending(progress);
}

poll(ask, tell);
