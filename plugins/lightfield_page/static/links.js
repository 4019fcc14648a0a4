/**
 * Links that leave the page. Airflow's frame lets nothing inside it open a tab or leave the frame by itself, so inside it
 * the same link is followed by the page around it.
 */

import { element } from "./dom.js";

/**
 * @param {string} href
 * @param {string} text
 * @param {"_blank" | "_top"} target a tab of its own, or the whole window
 * @returns {HTMLAnchorElement}
 */
export function leaving(href, text, target) {
  const link = element("a", { href, target, rel: "noopener" }, text);
  link.dataset.leaving = target;
  return link;
}

/** Follow links made by `leaving`; once for a page. */
export function followLeavingLinks() {
  if (window.parent === window) return;
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-leaving]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    let outside;
    try {
      outside = window.parent.document.createElement("a");
    } catch {
      return;
    }
    event.preventDefault();
    outside.href = link.href;
    outside.target = link.dataset.leaving ?? "_blank";
    outside.rel = "noopener";
    outside.click();
  });
}
