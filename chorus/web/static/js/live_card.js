/** A project in a few figures that change in place: for the overview and the wall. */
import { $, el, setText, setVars } from "./dom.js";
import { moment } from "./curve_card.js";
import { STATES } from "./progress_card.js";
import { count, percent } from "./format.js";

const BAR = ["labeled", "needs_review", "skipped", "in_progress", "unlabeled"];
const NAMES = Object.fromEntries(STATES);
/** [key, name, text]. */
export const FIGURES = [
  ["hour", "votes an hour", (c) => count(Math.round(c.per_hour))],
  ["here", "here now", (c) => count(c.here)],
  ["end", "ends", (c) => endWords(c)],
  ["review", "wait for review", (c) => count(c.counts.needs_review + c.counts.skipped)],
  ["agreement", "agreement", (c) => (c.compared ? percent(c.agreed / c.compared, 0) : "–")],
  ["open", "open", (c) => count(c.counts.unlabeled + c.counts.in_progress)],
];

function endWords({ counts, forecast }) {
  if (counts.items && counts.unlabeled + counts.in_progress === 0) return "done";
  return forecast ? moment(forecast.at) : "–";
}

/** "57.3 %": never rounded up to all, or down to nothing. */
export function shareWords(counts) {
  const share = counts.items ? counts.labeled / counts.items : 0;
  return percent(share, share > 0 && share < 1 ? 1 : 0);
}

export function stateBar() {
  return el("div", { class: "state-bar", role: "img" }, ...BAR.map((s) => el("span", { dataset: { state: s }, vars: { c: `var(--state-${s})` } })));
}

export function showBar(bar, counts) {
  const total = counts.items || 1;
  for (const span of bar.children) setVars(span, { w: `${(100 * counts[span.dataset.state]) / total}%` });
  bar.setAttribute("aria-label", BAR.map((s) => `${NAMES[s]}: ${count(counts[s])}`).join(", "));
}

export function figureList(figures) {
  return el("dl", { class: "live-figures" }, ...figures.map(([key, name]) => el("div", { dataset: { key } }, el("dt", {}, name), el("dd", {}, "–"))));
}

export function showFigures(list, figures, values) {
  for (const [key, , text] of figures) setText($(`[data-key="${key}"] dd`, list), text(values));
}

class LiveCard {
  /** @param {{project_id: string, name: string}} project */
  constructor(project) {
    this._name = el("a", { href: `/p/${project.project_id}` }, project.name);
    this._paused = el("span", { class: "chip-plain", dataset: { tone: "warn" }, hidden: true }, "paused");
    this._share = el("span", { class: "big" }, "–");
    this._of = el("span", { class: "of" });
    this._bar = stateBar();
    this._list = figureList(FIGURES);
    this.node = el("article", { class: "card live-card", dataset: { project: project.project_id } },
      el("div", { class: "row" }, el("h2", {}, this._name), this._paused),
      el("div", { class: "row" }, this._share, this._of), this._bar, this._list);
  }

  /** @param {any} card the protocol's Card */
  show(card) {
    setText(this._name, card.name);
    this._paused.hidden = card.state !== "paused";
    setText(this._share, shareWords(card.counts));
    setText(this._of, `${count(card.counts.labeled)} of ${count(card.counts.items)} labeled`);
    showBar(this._bar, card.counts);
    showFigures(this._list, FIGURES, card);
  }
}

/**
 * A card for every project, followed on one socket; `room` shows them.
 * @param {import("./socket.js").Socket} socket
 * @param {{project_id: string, name: string}[]} projects
 * @param {HTMLElement} room
 */
export function followCards(socket, projects, room) {
  const cards = projects.map((p) => new LiveCard(p));
  room.replaceChildren(...cards.map((c) => c.node));
  socket.addEventListener("open", () => {
    projects.forEach((p, i) => {
      socket.request("subscribe", { topic: `project/${p.project_id}/card` }, (frame) => cards[i].show(frame.body)).catch((error) => {
        // Removed from it meanwhile: its card goes.
        if (error.code) cards[i].node.remove();
      });
    });
  });
}
