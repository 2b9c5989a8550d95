/** Small helpers for making and finding elements. No markup is ever built from strings. */

/**
 * Make an element. `props` sets properties; keys with a dash, and `role`, set attributes; `class`
 * sets the class; `on…` functions become listeners; `dataset` and `vars` (CSS variables) take
 * objects. Null and false children are left out.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key === "class") node.className = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key === "vars") setVars(node, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...kept(children));
  return node;
}

/** Set CSS variables through the object model, which a strict Content-Security-Policy allows. */
export function setVars(node, vars) {
  for (const [name, value] of Object.entries(vars)) node.style.setProperty(`--${name}`, value);
}

/** Replace all children of a node. */
export function fill(node, ...children) {
  node.replaceChildren(...kept(children));
  return node;
}

function kept(children) {
  return children
    .filter((c) => c !== null && c !== undefined && c !== false)
    .map((c) => (c instanceof Node ? c : String(c)));
}

/**
 * The one element that matches; a missing one is a mistake in a template.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function $(selector, root = document) {
  const found = root.querySelector(selector);
  if (found === null) throw new Error(`no element ${selector}`);
  return found;
}

/**
 * A table's head.
 * @param {string[]} heads
 * @param {{numbers?: number, actions?: boolean}} [how] `numbers`: from this column on there are
 *   figures; `actions`: buttons are in a last one
 */
export function thead(heads, { numbers = heads.length, actions = false } = {}) {
  return el("thead", {}, el("tr", {},
    ...heads.map((head, i) => el("th", { scope: "col", class: i < numbers ? null : "num" }, head)),
    actions ? el("th", {}, el("span", { class: "visually-hidden" }, "Actions")) : null));
}

/** A table's cell with a figure. */
export function num(text) {
  return el("td", { class: "num" }, text);
}

/** Change text only when it differs: screen readers announce what really changed. */
export function setText(node, text) {
  if (node.textContent !== String(text)) node.textContent = String(text);
}

/** A listener for clicks that leaves out the second of a double click: it is about what the first has brought, which nobody has seen. */
export function firstClick(run) {
  return (event) => event.detail > 1 || run(event);
}

/**
 * What is dropped on a node, which says (`data-over`) when something is over it.
 * @param {HTMLElement} node @param {(dropped: DataTransfer) => void} take
 */
export function onDrop(node, take) {
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    node.addEventListener(type, (event) => {
      event.preventDefault();
      node.dataset.over = String(type === "dragenter" || type === "dragover");
      if (type === "drop") take(event.dataTransfer);
    });
  }
}

/** What the server put into the page for its script. */
export function boot() {
  return JSON.parse(document.body.dataset.boot ?? "{}");
}

const SVG = "http://www.w3.org/2000/svg";

/** A 24×24 line icon from path data. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("d", path);
  svg.append(node);
  return svg;
}

export const ICONS = {
  zoom: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M16 16l5 5M8 11h6M11 8v6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  comment: "M5 5h14v11h-8l-4 4v-4H5z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
};
