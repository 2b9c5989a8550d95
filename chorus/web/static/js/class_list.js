/** The label classes: a button each, with its number key and colour, under the headings of their
 * groups; a search beyond nine. */
import { treeOf } from "./class_tree.js";
import { $, el, fill, setVars } from "./dom.js";
import { inkOn } from "./format.js";
import { _ } from "./i18n.js";

export class ClassList {
  /**
   * @param {HTMLElement} root
   * @param {(name: ?string, again: boolean) => void} onPick null: none of the classes, where that is
   *   an answer; `again`: by the second click of a double click
   */
  constructor(root, onPick) {
    this._root = root;
    this._onPick = onPick;
    this._none = root.querySelector(".class-none");
    this._none?.addEventListener("click", (e) => this._pick(null, e.detail > 1));
    this._none?.addEventListener("mousedown", (e) => e.preventDefault());
    this._classes = [];
    this._shown = "";
    this._list = $(".class-list", root);
    this._list.dataset.none = _("No class has that name.");
    this._search = $(".class-search", root);
    this._search.addEventListener("input", () => this._filter());
    this._search.addEventListener("keydown", (e) => this._key(e));
  }

  /** @param {{name: string, color: string, key: ?string}[]} classes */
  set(classes) {
    const key = JSON.stringify(classes);
    if (key === this._shown) return;
    this._shown = key;
    this._classes = classes;
    const many = classes.length > 9;
    this._search.hidden = !many;
    this._root.dataset.many = String(many);
    fill(this._list, ...treeOf(classes).map((line) =>
      line.index === null ? this._group(line) : this._button(classes[line.index], line)));
    this._filter();
  }

  /** Colour variables of a class, for chips and tiles. */
  colors(name) {
    const found = this._classes.find((c) => c.name === name);
    return found ? { c: found.color, "on-c": inkOn(found.color) } : { c: "#5f6b7e", "on-c": "#ffffff" };
  }

  /** The class of a digit key: 0 is the key 1. */
  name(index) {
    return this._classes.find((c) => c.key === String(index + 1))?.name;
  }

  get length() {
    return this._classes.length;
  }

  /** Mark what the focused item is said to be; null: nothing yet. @param {?string[]} names */
  mark(names) {
    for (const button of this._list.querySelectorAll("button")) {
      const current = names !== null && names.includes(button.dataset.name);
      button.setAttribute("aria-pressed", String(current));
    }
    this._none?.setAttribute("aria-pressed", String(names !== null && !names.length));
  }

  /** Put the cursor into the search, with `text` as its beginning. */
  search(text) {
    if (this._search.hidden) return;
    this._search.value = text;
    this._search.focus();
    this._filter();
  }

  _group({ label, path, depth }) {
    return el("p", { class: "class-group", dataset: { path }, vars: { depth } }, label);
  }

  _button(label, line) {
    const button = el(
      "button",
      {
        type: "button",
        class: "class-button",
        dataset: { name: label.name },
        vars: { depth: line.depth },
        "aria-label": line.depth ? label.name : undefined,
        "aria-pressed": "false",
        "aria-keyshortcuts": label.key ?? undefined,
        onclick: (e) => this._pick(label.name, e.detail > 1),
        // The grid keeps the keyboard while the mouse is on the buttons.
        onmousedown: (e) => e.preventDefault(),
      },
      el("kbd", {}, label.key ?? ""),
      el("span", { class: "class-name" }, line.label),
      el("span", { class: "swatch" }),
    );
    setVars(button, this.colors(label.name));
    return button;
  }

  _pick(name, again = false) {
    this._onPick(name, again);
    this._leave();
  }

  _leave() {
    if (this._search.hidden) return;
    this._search.value = "";
    this._search.blur();
    this._filter();
  }

  _filter() {
    const wanted = this._search.hidden ? "" : this._search.value.trim().toLowerCase();
    const buttons = [...this._list.querySelectorAll("button")];
    const rank = (b) => matchRank(b.dataset.name.toLowerCase(), wanted);
    let first = null;
    for (const button of buttons) {
      const fits = rank(button) > 0;
      button.hidden = !fits;
      button.dataset.first = "false";
      if (fits && wanted && (!first || rank(button) > rank(first))) first = button;
    }
    if (first) first.dataset.first = "true";
    for (const group of this._list.querySelectorAll(".class-group")) {
      const inside = `${group.dataset.path}/`;
      group.hidden = !buttons.some((b) => !b.hidden && b.dataset.name.startsWith(inside));
    }
    this._list.dataset.empty = String(buttons.length > 0 && buttons.every((b) => b.hidden));
  }

  _key(event) {
    if (event.isComposing) return; // an input method's own Enter
    const shown = [...this._list.querySelectorAll("button:not([hidden])")];
    const at = shown.findIndex((b) => b.dataset.first === "true");
    if (event.key === "Escape") this._leave();
    else if (event.key === "Enter") {
      const chosen = shown[Math.max(0, at)];
      if (chosen && this._search.value.trim()) this._pick(chosen.dataset.name);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
      for (const button of shown) button.dataset.first = String(button === next);
      next?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** 3: begins so, 2: a word begins so, 1: has it somewhere, 0: not at all. */
function matchRank(name, wanted) {
  if (name.startsWith(wanted)) return 3;
  const at = name.indexOf(wanted);
  if (at < 0) return 0;
  return /[\s_/-]/.test(name[at - 1] ?? "") ? 2 : 1;
}
