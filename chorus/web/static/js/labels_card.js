/** How the labels are distributed, beside those that are known to be right. */
import { $, el, fill, num, setText, thead } from "./dom.js";
import { Chart, labelsOption } from "./charts.js";
import { count, percent } from "./format.js";
import { NO_CLASS } from "./chips.js";
import { NO_CLASS as NOTHING } from "./review_filter.js";

export class LabelsCard {
  /** @param {(path: string) => string} at @param {string} none what the label that names no class is called */
  constructor(at, none) {
    this._at = at;
    this._none = none;
    this._chart = new Chart($("#labels-chart"), labelsOption);
    this._chart.onPick((p) => location.assign(this._items(this._rows[p.dataIndex].key)));
    this._rows = [];
  }

  _items(name) {
    return this._at(`/review?${new URLSearchParams({ state: "labeled", class: name || NOTHING, view: "grid" })}`);
  }

  /** @param {any} figures @param {{name: string, color: string}[]} classes */
  render({ labels, known, counts, gold }, classes) {
    const named = new Map(classes.map((c) => [c.name, c.color]));
    // At a past time there may have been other classes: they are shown as they were.
    const keys = Object.keys(labels);
    const knownTotal = Object.values(known).reduce((a, b) => a + b, 0);
    const items = counts.labeled;
    this._rows = keys.map((key) => ({
      key, name: key || this._none, color: named.get(key) ?? NO_CLASS.c, value: labels[key],
      known: knownTotal ? known[key] : null,
      // Of sets the shares add up to more than one: both are of items.
      expected: knownTotal && gold ? (known[key] / gold) * items : null,
    }));
    this._chart.set(this._rows);
    setText($("#known-note"), knownTotal ? `◆ as among ${count(gold)} gold` : "");
    const head = ["Class", "Labeled", "Share", ...(knownTotal ? ["Gold", "Share of gold"] : [])];
    fill($("#labels-table"),
      thead(head, { numbers: 1 }),
      el("tbody", {}, ...this._rows.map((r) => el("tr", {},
        el("td", {}, el("a", { href: this._items(r.key) }, r.name)), num(count(r.value)), num(items ? percent(r.value / items) : "–"),
        ...(knownTotal ? [num(count(r.known)), num(percent(gold ? r.known / gold : null))] : [])))));
  }
}
