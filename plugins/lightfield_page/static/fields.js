/** Fields of the viewer's controls: native inputs with a label and a text for their value. */

import { element } from "./dom.js";

let made = 0;

/**
 * @typedef {object} Slider
 * @property {HTMLElement} row
 * @property {HTMLInputElement} input
 * @property {(value: number, text: string) => void} set shows a value and says it
 */

/**
 * @param {string} name
 * @param {{min: number, max: number, step?: number}} range
 * @param {(value: number) => void} moved
 * @returns {Slider}
 */
export function slider(name, range, moved) {
  const id = `field-${++made}`;
  const input = element("input", { type: "range", id, min: range.min, max: range.max, step: range.step ?? 1 });
  const output = element("output", { for: id });
  input.addEventListener("input", () => moved(Number(input.value)));
  const row = element("div", { class: "field" }, element("label", { for: id }, name), output, input);
  return {
    row,
    input,
    set(value, text) {
      input.value = String(value);
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
    },
  };
}

/**
 * @template {string} Name
 * @param {string} name
 * @param {readonly Name[]} options
 * @param {(value: Name) => void} chosen
 * @returns {{row: HTMLElement, set: (value: Name) => void}}
 */
export function choice(name, options, chosen) {
  const id = `field-${++made}`;
  const select = element("select", { id }, ...options.map((option) => element("option", { value: option }, option)));
  select.addEventListener("change", () => chosen(/** @type {Name} */ (select.value)));
  return {
    row: element("div", { class: "field inline" }, element("label", { for: id }, name), select),
    set(value) {
      select.value = value;
    },
  };
}

/**
 * A few choices that are all seen at once.
 * @template {string} Name
 * @param {string} name
 * @param {readonly (readonly [Name, string])[]} options values and their labels
 * @param {(value: Name) => void} chosen
 * @returns {{row: HTMLElement, set: (value: Name) => void}}
 */
export function segments(name, options, chosen) {
  const group = `group-${++made}`;
  const inputs = options.map(([value]) => element("input", { type: "radio", name: group, value, id: `${group}-${value}` }));
  for (const input of inputs) input.addEventListener("change", () => chosen(/** @type {Name} */ (input.value)));
  const parts = options.flatMap(([value, text], place) => [inputs[place], element("label", { for: `${group}-${value}` }, text)]);
  return {
    row: element("fieldset", { class: "segments" }, element("legend", { class: "unseen" }, name), ...parts),
    set(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}

/**
 * @param {string} text
 * @param {() => void} pressed
 * @param {import("./dom.js").Attributes} [attributes]
 * @returns {HTMLButtonElement}
 */
export function button(text, pressed, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", pressed);
  return node;
}
