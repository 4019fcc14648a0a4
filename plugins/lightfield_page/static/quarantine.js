/** What could not be processed and why, a page at a time. */

import { element, replace } from "./dom.js";
import { button } from "./fields.js";
import { count, moment } from "./format.js";
import { getJson } from "./server.js";
import { itemsInQuarantine } from "./stages.js";

const PAGE = 25;

/** @typedef {{stage: string, id: string, error: string, finished: string | null}} Row */

export class Quarantine {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.offset = 0;
    this.total = 0;
    /** @type {Row[]} */
    this.rows = [];
    this.search = element("input", { type: "search", "aria-label": "Search this page of the list", placeholder: "Search this page" });
    this.search.addEventListener("input", () => this.show());
    this.previous = button("Previous", () => this.load(this.offset - PAGE));
    this.next = button("Next", () => this.load(this.offset + PAGE));
    this.where = element("span", { class: "number", role: "status" });
    this.tools = element("div", { class: "row tools" }, this.search, element("span", { class: "grow" }), this.where, this.previous, this.next);
    this.body = element("div");
    place.replaceChildren(element("h2", { id: "quarantine-title" }, "Quarantine"), this.tools, this.body);
    this.show();
  }

  /** @param {number} [offset] of the first row */
  async load(offset = this.offset) {
    const first = Math.max(0, offset);
    try {
      const { total, rows } = await getJson("api/quarantine", { offset: first, limit: PAGE });
      Object.assign(this, { total, rows, offset: first });
      this.show();
    } catch (error) {
      this.where.textContent = `The list did not come: ${error instanceof Error ? error.message : error}`;
    }
  }

  show() {
    this.tools.hidden = this.total === 0;
    const wanted = this.search.value.trim().toLowerCase();
    const rows = this.rows.filter(({ stage, id, error }) => `${stage} ${id} ${error}`.toLowerCase().includes(wanted));
    const last = this.offset + this.rows.length;
    this.where.textContent = this.total ? `${count(this.offset + 1)} to ${count(last)} of ${count(this.total)}` : "";
    this.previous.disabled = this.offset === 0;
    this.next.disabled = last >= this.total;
    if (!this.total) replace(this.body, element("p", { class: "empty" }, itemsInQuarantine(0)));
    else if (!rows.length) replace(this.body, element("p", { class: "empty" }, `Nothing on this page holds “${this.search.value}”.`));
    else replace(this.body, table(rows));
  }
}

/** @param {Row[]} rows @returns {HTMLElement} */
function table(rows) {
  const head = element("tr", {}, ...["Stage", "Item", "Reason", "When"].map((name) => element("th", { scope: "col" }, name)));
  const lines = rows.map(({ stage, id, error, finished }) => element("tr", {},
    element("td", {}, stage), element("td", { class: "when" }, id), element("td", { class: "reason" }, error), element("td", { class: "when" }, moment(finished))));
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-labelledby": "quarantine-title" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)));
}
