/** The strip of items by state, and what comes next: each leads to its items. */
import { $, el, fill, setText, setVars } from "./dom.js";
import { Chart, progressOption } from "./charts.js";
import { count, percent } from "./format.js";

export const STATES = [
  ["labeled", "labeled"],
  ["in_progress", "in progress"],
  ["needs_review", "needs review"],
  ["skipped", "skipped"],
  ["unlabeled", "unlabeled"],
];
const KINDS = ["prelabeled", "clustered", "manual"];

export class ProgressCard {
  /** @param {(path: string) => string} at an address in the project */
  constructor(at) {
    this._at = at;
    this._chart = new Chart($("#progress-chart"), progressOption);
    this._chart.onPick((p) => location.assign(this._itemsOf(p.seriesId)));
  }

  _itemsOf(state) {
    return this._at(`/review?state=${state}&view=grid`);
  }

  /** @param {any} figures */
  render({ counts, queue, urgent }) {
    const share = counts.items ? counts.labeled / counts.items : 0;
    setText($("#done"), percent(share, share > 0 && share < 1 ? 1 : 0));
    setText($("#done-of"), `${count(counts.labeled)} of ${count(counts.items)} labeled`);
    $("#no-items").hidden = counts.items > 0;
    $("#progress-chart").hidden = counts.items === 0;
    this._chart.set(STATES.map(([key, name]) => ({ key, name, value: counts[key] })));
    const room = $("#states");
    if (!room.children.length) fill(room, ...STATES.map(([key, name]) => this._sign(key, name)));
    for (const [key] of STATES) {
      setText($(`[data-state="${key}"] b`, room), count(counts[key]));
      $(`[data-state="${key}"]`, room).title = counts.items ? percent(counts[key] / counts.items) : "";
    }
    this._queue(queue, counts, urgent);
  }

  _sign(key, name) {
    return el("span", { class: "state", dataset: { state: key }, vars: { c: `var(--state-${key})` } },
      el("b", {}, "0"), el("a", { href: this._itemsOf(key) }, name));
  }

  _queue(queue, counts, urgent) {
    const room = $("#queue");
    if (!room.children.length) {
      const lane = (kind, vars, name) => el("div", { class: "lane", dataset: { kind }, vars },
        el("span", { class: "name" }, name), el("span", { class: "track" }, el("span", { class: "fill" })), el("b", {}, "0"));
      fill(room, lane("first", { k: "var(--accent)" }, "first"), ...KINDS.map((kind) => lane(kind, { k: `var(--kind-${kind})` }, kind)),
        lane("review", { k: "var(--state-needs_review)" }, el("a", { href: this._at("/review") }, "review")));
    }
    const values = { first: urgent, ...queue, review: counts.needs_review + counts.skipped };
    const total = Math.max(1, ...Object.values(values));
    $('[data-kind="first"]', room).hidden = urgent === 0;
    for (const kind of ["first", ...KINDS, "review"]) {
      const lane = $(`[data-kind="${kind}"]`, room);
      setVars(lane, { w: `${(100 * values[kind]) / total}%` });
      setText($("b", lane), count(values[kind]));
    }
  }
}
