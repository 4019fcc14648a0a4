/** A bar of what is done, what failed and what is to go; the figures always stand beside it. */

import { drawn } from "./dom.js";
import { count } from "./format.js";

/**
 * @param {number} done
 * @param {number} failed
 * @param {number} total
 * @returns {SVGElement}
 */
export function bar(done, failed, total) {
  const text = `${count(done)} of ${count(total)} done` + (failed ? `, ${count(failed)} failed` : "");
  const share = (/** @type {number} */ part) => (total ? (100 * part) / total : 0);
  return drawn(
    "svg",
    { class: "bar", role: "img", "aria-label": text },
    drawn("title", {}, text),
    drawn("rect", { class: "track", width: "100%", height: "100%" }),
    drawn("rect", { class: "done", width: `${share(done)}%`, height: "100%" }),
    failed > 0 && drawn("rect", { class: "failed", x: `${share(done)}%`, width: `${Math.max(share(failed), 0.6)}%`, height: "100%" }),
  );
}
