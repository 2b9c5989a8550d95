/** The list of a person's answers: a card each, one of them has the keyboard. */
import { $, el, fill, setVars } from "./dom.js";
import { answerChips, colorsOf, wordOf } from "./chips.js";
import { preview } from "./content.js";
import { moment } from "./format.js";
import { _, ngettext } from "./i18n.js";

export class AnswersList {
  /**
   * @param {HTMLElement} root
   * @param {import("./answers.js").Answers} answers
   * @param {(name: string) => Record<string, string>} colors
   * @param {{show: (index: number) => void, zoom: () => void}} on
   */
  constructor(root, answers, colors, on) {
    this._root = root;
    this._answers = answers;
    this._colors = colors;
    this._on = on;
    this._nodes = new Map();
    this._order = "";
    this._end = el("li", { class: "answers-end", role: "presentation" });
    this._near = new IntersectionObserver((seen) => {
      if (seen.some((s) => s.isIntersecting)) answers.more();
    }, { rootMargin: "600px" });
  }

  get columns() {
    return getComputedStyle(this._root).gridTemplateColumns.split(" ").length;
  }

  /** @param {(id: number) => number} written how many comments there are about an item */
  render(written) {
    const { rows, at } = this._answers;
    const order = rows.map((r) => r.item_id).join();
    for (const [id, { node }] of this._nodes) if (!rows.some((r) => r.item_id === id)) {
      node.remove();
      this._nodes.delete(id);
    }
    rows.forEach((row, index) => this._draw(row, index, index === at, written(row.item_id)));
    if (order !== this._order) {
      this._order = order;
      fill(this._root, ...rows.map((r) => this._nodes.get(r.item_id).node), this._end);
    }
    if (!this._answers.complete) {
      // Where only a few came its end is still in view, which is said each time it is observed.
      this._near.unobserve(this._end);
      this._near.observe(this._end);
    }
  }

  /** Give the card in view the keyboard, unless the person is in some other control. */
  takeKeyboard(always = false) {
    const node = this._nodes.get(this._answers.row?.item_id)?.node;
    const active = document.activeElement;
    const free = active === null || active === document.body || this._root.contains(active);
    if (!node || active === node || !(free || always)) return;
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
  }

  _preview(row) {
    const { shapes } = this._answers.answer(row);
    return preview(row, { draggable: false }, shapes ? { shapes, colors: this._colors, whole: true } : null);
  }

  _draw(row, index, current, comments) {
    let card = this._nodes.get(row.item_id);
    if (!card) {
      const chips = el("span", { class: "chips" });
      const when = el("time", { class: "muted small" });
      const node = el("li",
        { class: "answer", ondblclick: () => this._on.zoom() },
        el("span", { class: "answer-item" }, this._preview(row)),
        el("span", { class: "answer-name small", title: row.name }, row.name), chips, when);
      card = { node, chips, when, drawn: "" };
      this._nodes.set(row.item_id, card);
    }
    card.node.onclick = () => this._on.show(index);
    const answer = this._answers.answer(row);
    const drawn = JSON.stringify([answer, current, row.open, row.created_at, comments, Boolean(row.draft)]);
    if (drawn === card.drawn) return;
    card.drawn = drawn;
    const { node } = card;
    if (answer.shapes) fill($(".answer-item", node), this._preview(row));
    node.tabIndex = current ? 0 : -1;
    node.dataset.current = String(current);
    node.dataset.open = String(row.open);
    node.dataset.draft = String(Boolean(row.draft));
    if (current) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
    node.dataset.item = String(row.item_id);
    setVars(node, colorsOf(answer, this._colors));
    fill(card.chips, ...answerChips({ ...answer, by: "vote" }, null, this._colors, null),
      row.open ? null : el("span", { class: "chip-plain" }, _("decided")),
      comments ? el("span", { class: "chip-plain" }, ngettext("%(n)s comment", "%(n)s comments", comments)) : null);
    card.when.textContent = moment(row.created_at);
    node.setAttribute("aria-label", [
      row.name, wordOf(answer), moment(row.created_at), row.open ? null : _("decided by a supervisor"),
    ].filter(Boolean).join(", "));
  }
}
