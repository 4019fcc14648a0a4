/** Making elements. Text goes in as text and never as markup, whatever it holds. */

/** @typedef {string | number | Node | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes] `true` sets an empty attribute; `false`, `null` and `undefined` set none
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  fill(node, attributes, children);
  return node;
}

/**
 * @param {string} tag of SVG
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function drawn(tag, attributes = {}, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS("http://www.w3.org/2000/svg", tag));
  fill(node, attributes, children);
  return node;
}

/**
 * @param {Element} node
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element ${id}`);
  return node;
}

/**
 * Put children in the place of what a node holds, unless they read the same. The focus stays on the same one of the
 * node's links, buttons and tables, and what was unfolded stays unfolded.
 * @param {Element} node
 * @param {...Child} children
 */
export function replace(node, ...children) {
  const fresh = element("div", {}, ...children);
  const unfolded = [...node.querySelectorAll("details")].map(({ open }) => open);
  fresh.querySelectorAll("details").forEach((details, place) => {
    details.open = unfolded[place] ?? false;
  });
  if (fresh.innerHTML === node.innerHTML) return;
  const focused = focusable(node).findIndex((child) => child === document.activeElement);
  node.replaceChildren(...fresh.childNodes);
  if (focused >= 0) focusable(node)[focused]?.focus({ preventScroll: true });
}

/** @param {Element} node @returns {HTMLElement[]} */
function focusable(node) {
  return [...node.querySelectorAll("a, button, input, summary, [tabindex]")].filter((child) => child instanceof HTMLElement);
}
