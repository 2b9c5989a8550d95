/** How the server does: measured by itself, over the last minute. */
import { $, el, fill, setText } from "./dom.js";
import { count } from "./format.js";

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
}
