/** How the server does: measured by itself, over the last minute. */
import { $, el, fill, setText } from "./dom.js";
import { ago, count } from "./format.js";

const ms = (value) => (value === null ? "–" : `${value < 10 ? value.toFixed(1) : count(value)} ms`);
const rate = (value) => (value < 10 ? value.toFixed(1) : count(value));
const FIGURES = [
  ["people", "people online", (s) => count(s.people)],
  ["p50", "half of the votes are kept within", (s) => ms(s.p50_ms)],
  ["p99", "99 of 100 within", (s) => ms(s.p99_ms)],
  ["votes", "votes a second", (s) => rate(s.votes_per_s)],
  ["events", "events a second", (s) => rate(s.events_per_s)],
];

/** @param {any} figures the protocol's Server */
export function renderServer(figures) {
  const list = $("#server");
  if (!list.children.length) {
    fill(list, ...FIGURES.map(([key, name]) => el("div", { dataset: { key } }, el("dt", {}, name), el("dd", {}))));
  }
  for (const [key, , show] of FIGURES) setText($(`[data-key="${key}"] dd`, list), show(figures));
  renderBackup(list, figures.backup);
}

/** Backups on a schedule; a failure is to be seen. */
function renderBackup(list, backup) {
  if (!backup) return;
  let entry = $('[data-key="backup"]', list);
  if (!entry) {
    entry = el("div", { dataset: { key: "backup" } }, el("dt", {}), el("dd", {}));
    list.append(entry);
  }
  entry.dataset.tone = backup.error ? "bad" : "";
  setText($("dt", entry), backup.error ? `failing: ${backup.error}` : "last backup");
  setText($("dd", entry), backup.error ? backup.at ? `backup ${ago(backup.at)}` : "no backup" : backup.at ? ago(backup.at) : "being made");
}
