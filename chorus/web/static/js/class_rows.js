/** An editable list of classes, in their groups: a line each with its colour, name and key. */
import { el, fill } from "./dom.js";
import { inkOn } from "./format.js";
import { treeOf } from "./class_tree.js";

/**
 * @param {HTMLElement} root
 * @param {{name: string, color: string, key: ?string}[]} classes
 * @param {(index: number, change: {name?: string, color?: string, key?: ?string}) => any} onChange
 * @param {?(index: number) => void} onRemove none: classes are there for good
 */
export function classRows(root, classes, onChange, onRemove = null) {
  const held = document.activeElement?.dataset?.field && root.contains(document.activeElement)
    ? document.activeElement.dataset.field
    : null;
  const keys = "123456789".slice(0, Math.min(9, classes.length)).split("").filter(Boolean);
  const row = (c, index, depth) => el("li", { class: "class-row", dataset: { name: c.name }, vars: { depth } },
    el("input", { type: "color", value: c.color, "aria-label": `Colour of ${c.name}`, dataset: { field: `color${index}` },
      onchange: (e) => onChange(index, { color: e.target.value }) }),
    el("input", { class: "class-row-name", value: c.name, maxLength: 640, "aria-label": `Name of class ${index + 1}`, dataset: { field: `name${index}` },
      onkeydown: (e) => {
        if (e.isComposing) return; // an input method's own Enter
        if (e.key === "Enter") {
          e.preventDefault();
          e.target.blur();
        } else if (e.key === "Escape") e.target.value = c.name;
      },
      onchange: (e) => onChange(index, { name: e.target.value.trim() }) }),
    el("span", { class: "chip class-sample", vars: { c: c.color, "on-c": inkOn(c.color) }, "aria-hidden": "true" }, c.name.split("/").at(-1)),
    el("label", { class: "class-key" }, el("span", { class: "visually-hidden" }, `Key of ${c.name}`),
      el("select", { dataset: { field: `key${index}` }, onchange: (e) => onChange(index, { key: e.target.value || null }) },
        c.key && keys.includes(c.key) ? null : el("option", { value: "", selected: true }, "–"),
        ...keys.map((key) => el("option", { value: key, selected: key === c.key }, key)))),
    onRemove && el("button", { type: "button", class: "button quiet", "aria-label": `Leave ${c.name} out`, title: "Leave it out", onclick: () => onRemove(index) }, "×"));
  fill(root, ...treeOf(classes).map((line) => line.index === null
    ? el("li", { class: "class-heading", vars: { depth: line.depth } }, line.label)
    : row(classes[line.index], line.index, line.depth)));
  if (held) root.querySelector(`[data-field="${held}"]`)?.focus();
}
