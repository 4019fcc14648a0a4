/** What the page asks the api-server. Only GET: nothing here changes anything. */

import { address, takeEarly } from "./early.js";

/**
 * @typedef {object} Picture an image whose values are low + (high - low) * stored / 65535
 * @property {Uint16Array} pixels stored values, row by row
 * @property {number} height in pixels
 * @property {number} width in pixels
 * @property {number} low
 * @property {number} high
 */

/** An answer that is not the one asked for. */
export class ServerError extends Error {
  /** @param {string} message @param {number} status of HTTP; 0 when there was no answer */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} dag @param {string} run @returns {string} the run in Airflow's own UI */
export function airflowAddress(dag, run) {
  return `../dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`;
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {RequestPriority} [priority]
 * @returns {Promise<Response>}
 */
async function get(url, signal, priority = "auto") {
  let response;
  try {
    response = await (takeEarly(url) ?? fetch(url, { signal, priority, credentials: "same-origin" }));
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServerError("the server does not answer", 0);
  }
  if (response.ok) return response;
  if (response.status === 401) throw new ServerError("you are logged out: log in to Airflow and load this page again", 401);
  const body = await response.json().catch(() => ({}));
  const detail = typeof body.detail === "string" ? body.detail : `the server answered ${response.status}`;
  throw new ServerError(detail, response.status);
}

/**
 * @param {string} route
 * @param {Record<string, string | number>} [more]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function getJson(route, more = {}, signal) {
  return (await get(address(route, more), signal)).json();
}

/**
 * @param {string} url of a slice or projection, as `address` makes it
 * @param {AbortSignal} [signal]
 * @param {RequestPriority} [priority]
 * @returns {Promise<Picture>}
 */
export async function getPicture(url, signal, priority) {
  const response = await get(url, signal, priority);
  const [height, width, low, high] = ["X-Height", "X-Width", "X-Low", "X-High"].map((name) => Number(response.headers.get(name)));
  const pixels = new Uint16Array(await response.arrayBuffer());
  if (pixels.length !== height * width) throw new ServerError("a picture arrived incomplete", 502);
  return { pixels, height, width, low, high };
}
