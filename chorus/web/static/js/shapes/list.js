/**
 * The shapes as a list beside the picture: what a screen reader reads, and what a keyboard or a thumb
 * chooses from. A chosen one gets its class from the list of classes, like one chosen on the picture.
 */
import { $, el, icon, setText, setVars } from "../dom.js";
import { score } from "../format.js";
import { _ } from "../i18n.js";
import { SHAPE_ICONS } from "./icons.js";
import { moreWords, placeWords, shapeWords } from "./words.js";

const FOLLOW_MS = 80;

export class ShapeList {
  /**
   * @param {HTMLElement} root
   * @param {{choose: (id: number) => void, remove: (id: number) => void}} on
   */
  constructor(root, on) {
    this._root = root;
    this._on = on;
    this._list = $("ul", root);
    /** @type {Map<number, any>} */
    this._rows = new Map();
    this._shapes = [];
    this._target = null;
    this._due = 0;
  }

  /**
   * @param {import("./shapes.js").Shape[]} shapes @param {?number} target
   * @param {(name: string) => Record<string, string>} colors @param {string} words how many there are
   * @param {Map<number, string>} notes what else is said of one
   * @param {boolean} follow is the target to be in view? Not while the pointer only passes over it
   */
  render(shapes, target, colors, words, notes, follow) {
    setText($(".shape-count", this._root), words);
    if (shapes !== this._shapes) {
      this._shapes = shapes;
      const here = new Set(shapes.map((s) => s.id));
      for (const [id, row] of this._rows) if (!here.has(id)) {
        // The keyboard stays in the list when what it was on goes.
        const next = row.node.nextElementSibling ?? row.node.previousElementSibling;
        const had = row.node.contains(document.activeElement);
        row.node.remove();
        this._rows.delete(id);
        if (had) (next ? $("button", next) : null)?.focus();
      }
      let at = this._list.firstElementChild;
      for (const shape of shapes) {
        const row = this._row(shape, colors, notes.get(shape.id));
        if (row.node === at) at = at.nextElementSibling;
        else this._list.insertBefore(row.node, at);
      }
    }
    this._current(target, follow);
  }

  _current(target, follow) {
    for (const id of new Set([this._target, target])) {
      const row = this._rows.get(id);
      const current = id === target;
      if (!row || row.current === current) continue;
      row.current = current;
      row.node.dataset.current = String(current);
      row.choose.setAttribute("aria-pressed", String(current));
    }
    if (target !== this._target && follow && !this._list.matches(":focus-within")) this._follow(target);
    this._target = target;
  }

  /**
   * Once one stays chosen for a moment: rows that come into view are the most there is to paint, and a
   * key that is held down passes over many. The list alone is scrolled: on a phone it is below the
   * picture, which is to stay where it is.
   */
  _follow(id) {
    clearTimeout(this._due);
    this._due = setTimeout(() => {
      const node = this._rows.get(id)?.node;
      if (!node) return;
      const [frame, box] = [this._list.getBoundingClientRect(), node.getBoundingClientRect()];
      if (box.top < frame.top) this._list.scrollTop -= frame.top - box.top;
      else if (box.bottom > frame.bottom) this._list.scrollTop += box.bottom - frame.bottom;
    }, FOLLOW_MS);
  }

  _row(shape, colors, note) {
    let row = this._rows.get(shape.id);
    if (!row) {
      row = this._made(shape.id);
      this._rows.set(shape.id, row);
    }
    if (row.shape !== shape) {
      row.shape = shape;
      const { c } = colors(shape.cls);
      setVars(row.node, { c });
      row.node.dataset.by = shape.by;
      row.node.dataset.locked = String(shape.locked);
      setText(row.name, shape.cls);
      const shown = note ?? (shape.score === null ? placeWords(shape) : score(shape.score));
      setText(row.place, shown);
      setText(row.more, moreWords(shape, shown));
      row.remove.setAttribute("aria-label", _("Delete: %(what)s", { what: shapeWords(shape) }));
      row.remove.disabled = shape.locked;
    }
    return row;
  }

  _made(id) {
    const name = el("span", { class: "shape-name" });
    const place = el("span", { class: "shape-place" });
    const more = el("span", { class: "visually-hidden" });
    const choose = el("button", { type: "button", class: "shape-choose", "aria-pressed": "false", onclick: () => this._on.choose(id) },
      el("span", { class: "swatch" }), name, el("span", { class: "visually-hidden" }, ", "), place, more);
    const remove = el("button", { type: "button", class: "shape-remove", title: _("Delete"), onclick: () => this._on.remove(id) }, icon(SHAPE_ICONS.remove));
    const node = el("li", { class: "shape-row", dataset: { shape: String(id), current: "false" } }, choose, remove);
    return { node, choose, remove, name, place, more, shape: null, current: false };
  }
}
