/**
 * Addresses of the run that the page is about, and its first requests, which leave while the page's other scripts are
 * still on their way. This file imports nothing, so that it is there first.
 */

const here = new URLSearchParams(location.search);
export const dagId = here.get("dag_id") ?? "";
export const runId = here.get("run_id") ?? "";

/** @type {Map<string, Promise<Response>>} */
const answers = new Map();

/**
 * @param {string} route below the page's own root, such as "api/progress"
 * @param {Record<string, string | number>} [more] parameters beside those of the run
 * @returns {string} a relative address; it holds under any path that the api-server is served at
 */
export function address(route, more = {}) {
  const parameters = new URLSearchParams({ dag_id: dagId, run_id: runId });
  for (const [name, value] of Object.entries(more)) parameters.set(name, String(value));
  return `${route}?${parameters}`;
}

/**
 * @param {string} url
 * @returns {Promise<Response> | undefined} the answer that is on its way already, once
 */
export function takeEarly(url) {
  const answer = answers.get(url);
  answers.delete(url);
  return answer;
}

/** @param {string} url @returns {Promise<Response>} */
function ask(url) {
  const answer = fetch(url, { credentials: "same-origin", priority: "high" });
  // Whoever takes the answer handles its failure.
  answer.catch(() => {});
  answers.set(url, answer);
  return answer;
}

/** Ask for the volume and the pictures that the viewer shows first. */
async function askEarly() {
  const volume = await (await ask(address("api/volume"))).clone().json();
  const [first] = volume.done ?? [];
  if (first) for (const axis of ["z", "x", "y"]) ask(address("api/projection", { t: first[0], axis }));
}

if (runId) askEarly().catch(() => {});
