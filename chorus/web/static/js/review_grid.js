/** Many items as tiles: the consensus, each labeler's answer below; select and decide at once. */
import { $, ICONS, el, fill, icon, setText, setVars } from "./dom.js";
import { preview } from "./content.js";
import { score } from "./format.js";
import { Words, answerOf, stateWord, votedOf, why } from "./review_words.js";
import { contradicts, decisionOf, saidOf } from "./review_filter.js";
import { read } from "./shapes/shapes.js";
import { classesOf, wordsOf } from "./task.js";

const VOTES_SHOWN = 6;

export class ReviewGrid {
  /**
   * @param {HTMLElement} root the list
   * @param {Words} words
   * @param {{open: (id: number) => void, zoom: (item: any) => void, more: () => void,
   *   change: () => void}} on
   */
  constructor(root, words, on) {
    this._root = root;
    this._words = words;
    this._on = on;
    /** @type {Map<number, {node: any, drawn: string}>} */
    this._tiles = new Map();
    this._order = "";
    /** @type {Set<number>} */
    this.selected = new Set();
    /** All that the filter finds is selected, also what has not been loaded. */
    this.everything = false;
    this._complete = true;
    this.focus = null;
    this._anchor = null;
    this._ids = [];
    this._end = el("div", { class: "rv-end", "aria-hidden": "true" });
    root.after(this._end);
    this._near = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && on.more(), {
      rootMargin: "800px",
    });
  }

  /** @param {import("./review_room.js").Room} room */
  render(room) {
    this._ids = room.order;
    this._complete = room.complete;
    this._tab = room.filter.like ? "" : room.filter.state;
    if (this.everything) this.selected = new Set(room.order);
    const known = new Set(room.order);
    for (const id of [...this.selected]) if (!known.has(id)) this.selected.delete(id);
    if (!known.has(this.focus)) this.focus = this._nearest();
    for (const id of [...this._tiles.keys()]) if (!known.has(id)) this._tiles.delete(id);
    for (const id of room.order) this._draw(room.items.get(id), room.claims.get(id));
    const order = room.order.join();
    if (order !== this._order) {
      this._order = order;
      this._arrange(room.order.map((id) => this._tiles.get(id).node));
    }
    if (!this._complete) {
      // Where only a few came its end is still in view, which is said each time it is observed.
      this._near.unobserve(this._end);
      this._near.observe(this._end);
    }
    this._last = room.order.indexOf(this.focus);
  }

  /** Put tiles in order while touching only those that are out of place. */
  _arrange(nodes) {
    const wanted = new Set(nodes);
    for (const node of [...this._root.children]) if (!wanted.has(node)) node.remove();
    nodes.forEach((node, at) => {
      if (this._root.children[at] !== node) this._root.insertBefore(node, this._root.children[at] ?? null);
    });
  }

  _nearest() {
    const at = Math.min(this._last ?? 0, this._ids.length - 1);
    return this._ids[Math.max(0, at)] ?? null;
  }

  _draw(item, holder) {
    const id = item.item_id;
    const drawn = JSON.stringify([item, holder, this.selected.has(id), this.focus === id, this._tab]);
    const known = this._tiles.get(id);
    if (known?.drawn === drawn) return;
    const tile = known ?? { node: this._make(item), drawn };
    tile.drawn = drawn;
    this._tiles.set(id, tile);
    const { node } = tile;
    const said = saidOf(item);
    node.dataset.selected = String(this.selected.has(id));
    node.dataset.focused = String(this.focus === id);
    node.setAttribute("aria-selected", String(this.selected.has(id)));
    node.setAttribute("aria-label", `${item.name}, ${said ? wordsOf(said) : "no label"}, ${why(item)}`);
    setVars(node, { c: "transparent", ...this._words.colorsOf(said) });
    const label = decisionOf(item);
    if (typeof label?.[0] === "object") {
      const drawn = { shapes: read(label, "vote"), colors: (name) => this._words.colors(name), whole: true };
      $(".rv-tile-picture", node).firstElementChild.replaceWith(preview(item, { decoding: "async" }, drawn));
    }
    const by = $(".rv-by", node);
    by.hidden = !holder;
    setText(by, holder ? `${holder} is on it` : "");
    const votes = item.votes.filter((v) => v.standing);
    fill($(".rv-tile-text", node),
      el("div", { class: "rv-line consensus" },
        ...(said ? this._words.chips(said) : [el("b", {}, "No label")]),
        el("span", { class: "small muted" }, item.confidence === null ? "" : score(item.confidence)),
        el("span", { class: "spring" }),
        item.gold ? el("span", { class: "chip-plain rv-gold" }, "gold") : null,
        el("span", { class: "rv-state", dataset: { state: item.state } }, this._state(item))),
      ...votes.slice(0, VOTES_SHOWN).map((v) => this._line(v)),
      votes.length > VOTES_SHOWN
        ? el("div", { class: "rv-line small muted" }, `and ${votes.length - VOTES_SHOWN} more`)
        : null,
      item.model
        ? el("div", { class: "rv-line model", dataset: { against: String(contradicts(item)) } },
            el("span", { class: "rv-who" }, "Model"),
            ...this._words.dotted(classesOf(item.model), wordsOf(classesOf(item.model))),
            el("span", { class: "small" }, score(item.model.score ?? 0)))
        : null);
  }

  /** What the tab does not say already. */
  _state(item) {
    if (item.source === "review") return "Reviewed";
    return item.state === this._tab ? "" : stateWord(item.state);
  }

  _line(vote) {
    const prelabel = classesOf(vote.prelabel);
    return el("div", { class: "rv-line" },
      el("span", { class: "rv-who" }, vote.labeler), ...this._words.dotted(votedOf(vote), answerOf(vote)),
      prelabel ? el("span", { class: "small rv-saw", title: `saw the prelabel ${wordsOf(prelabel)}` }, "saw a prelabel") : null);
  }

  _make(item) {
    const id = item.item_id;
    return el("li",
      {
        class: "rv-tile", role: "option", dataset: { item: String(id) },
        onclick: (e) => this._click(id, e),
        ondblclick: () => this._on.open(id),
        // Shift-click selects tiles, not their text.
        onmousedown: (e) => e.preventDefault(),
      },
      el("div", { class: "rv-tile-picture" },
        preview(item, { decoding: "async" }),
        el("span", { class: "rv-tick", "aria-hidden": "true" }, icon(ICONS.check)),
        el("span", { class: "rv-by", hidden: true }),
        el("button", {
          type: "button", class: "rv-tile-zoom", tabIndex: -1, title: "Open (O)",
          "aria-label": `Open ${item.name}`,
          onclick: (e) => {
            e.stopPropagation();
            this._on.open(id);
          },
        }, icon(ICONS.zoom))),
      el("div", { class: "rv-tile-text" }));
  }

  _click(id, event) {
    if (event.detail > 1) return; // a double click opens
    if (event.shiftKey && this._anchor !== null) this._range(id);
    else this.toggle(id);
    this.focus = id;
    this._on.change();
  }

  _range(id) {
    this.everything = false;
    const [a, b] = [this._ids.indexOf(this._anchor), this._ids.indexOf(id)].sort((x, y) => x - y);
    for (const other of this._ids.slice(Math.max(0, a), b + 1)) this.selected.add(other);
  }

  toggle(id = this.focus) {
    if (id === null) return;
    this.everything = false;
    if (!this.selected.delete(id)) this.selected.add(id);
    this._anchor = id;
  }

  /** Select all that are here; once they are, all that match; once those are, none. */
  all() {
    if (this.selected.size < this._ids.length) this.selected = new Set(this._ids);
    else if (!this._complete && !this.everything) this.selectEverything();
    else this.clear();
  }

  selectEverything() {
    this.everything = !this._complete;
    this.selected = new Set(this._ids);
  }

  clear() {
    this.everything = false;
    this.selected.clear();
  }

  /** What a decision would be about: the selected ones, else the one in focus. */
  get chosen() {
    if (this.selected.size) return this._ids.filter((id) => this.selected.has(id));
    return this.focus === null ? [] : [this.focus];
  }

  move(step) {
    const at = this._ids.indexOf(this.focus);
    this.focus = this._ids[Math.max(0, Math.min(this._ids.length - 1, at + step))] ?? null;
    this._scroll();
  }

  /** Up or down by a row, however many columns there are now. */
  row(step) {
    this.move(step * this._columns());
  }

  _columns() {
    return getComputedStyle(this._root).gridTemplateColumns.split(" ").length;
  }

  _scroll() {
    this._tiles.get(this.focus)?.node.scrollIntoView({ block: "nearest" });
  }
}
