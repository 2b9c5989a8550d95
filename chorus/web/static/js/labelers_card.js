/** Who labels, how fast, how well, and what they see. */
import { $, el, fill, setText } from "./dom.js";
import { LiveTable } from "./live_table.js";
import { ago, count, percent } from "./format.js";

export class LabelersCard {
  /**
   * @param {(path: string) => string} at
   * @param {(person: any) => void} open what a click on a person does
   */
  constructor(at, open) {
    this._at = at;
    const num = (head, text) => ({ head, class: "num", text });
    this._table = new LiveTable($("#labelers"), [
      { head: "Name", make: (p) => this._name(p, open), update: showName },
      { head: "Sees now", make: () => el("span", { class: "chip-plain" }), update: showKind },
      num("Labels", (p) => count(p.labels)),
      num("Per hour", (p) => count(Math.round(p.per_hour ?? 0))),
      num("Agrees with label", (p) => (p.compared ? percent(p.agreed / p.compared, 0) : "–")),
      num("Skips", (p) => count(p.skips)),
      num("Prelabels changed", (p) => (p.prelabels_seen ? `${count(p.prelabels_changed)} of ${count(p.prelabels_seen)}` : "–")),
      num("Last vote", (p) => ago(p.last_at, this._now)),
    ], (p) => p.user_id);
    this._now = Date.now();
  }

  _name(p, open) {
    const user = p.user_id;
    const button = el("button", { class: "person", type: "button", "aria-haspopup": "dialog", onclick: () => open(this._people.get(user)) }, p.name);
    return el("span", { class: "who" }, el("span", { class: "presence" }), button, el("span", { class: "chip-plain", dataset: { tone: "warn" } }, "paused"));
  }

  /** @param {any[]} people @param {number} now @param {boolean} [any] is there anybody, of whichever team? */
  render(people, now, any = people.length > 0) {
    this._now = now;
    this._people = new Map(people.map((p) => [p.user_id, p]));
    const here = people.filter((p) => p.here).length;
    setText($("#here"), here ? `${here} here now` : "");
    $("#here").hidden = here === 0;
    if (!people.length) {
      fill($("#labelers"), el("tbody", {}, el("tr", {}, any ? el("td", { class: "muted" }, "Nobody of this team has labeled yet.") : el("td", { class: "muted" }, "Nobody has labeled yet. ", el("a", { href: this._at("/settings#people") }, "Invite people"), "."))));
      return;
    }
    this._table.set([...people].sort((a, b) => Number(b.here) - Number(a.here) || b.votes - a.votes || a.name.localeCompare(b.name)));
  }
}

function showName(cell, p) {
  const dot = $(".presence", cell);
  dot.dataset.here = String(p.here);
  dot.title = p.here ? "here" : "away";
  $(".chip-plain", cell).hidden = !p.paused;
}

function showKind(cell, p) {
  const chip = cell.firstChild;
  const kind = p.here ? (p.page_kind ?? "") : "";
  chip.hidden = !kind;
  chip.dataset.kind = kind;
  setText(chip, kind);
}
