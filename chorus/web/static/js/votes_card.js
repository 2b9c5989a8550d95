/** What the votes have cost and brought, how many are left, and how they become a label. */
import { $, el, fill, setText } from "./dom.js";
import { count, percent } from "./format.js";

/** @param {any} figures Stats or Moment */
export function renderVotes({ spending, remerging, labelers, pace }) {
  const { spent, settled, per_item, saved, left, note, votes_max } = spending;
  $("#remerging").hidden = !remerging;
  $("#votes").hidden = spent === 0;
  $("#votes-empty").hidden = spent > 0;
  setText($("#votes-note"), note ?? "");
  const sum = (key) => labelers.reduce((total, p) => total + p[key], 0);
  const [compared, agreed, seen, changed] = ["compared", "agreed", "prelabels_seen", "prelabels_changed"].map(sum);
  const values = [
    [count(spent), "votes given"],
    [per_item === null ? "–" : per_item.toFixed(2), `for an item, on average (${count(settled)} settled)`],
    votes_max === 1
      ? ["–", "saved: one vote for an item is the least"]
      : [settled ? count(Math.max(0, saved)) : "–", `saved by stopping early, against ${votes_max} for each item`],
    [left === null ? "–" : `${left.low < left.high ? "about " : ""}${count(left.value)}`, leftWords(left)],
    [seen ? count(seen - changed) : "–", seen ? `answers the model gave: taken as they were, of ${count(seen)} prelabels${timeWords(pace)}` : "answers given by the model: no prelabels yet"],
    [compared ? percent(agreed / compared) : "–", compared ? `agreement: of ${count(compared)} answers that are like the label, where somebody else has answered or reviewed` : "agreement: known once two have answered the same"],
  ];
  fill($("#votes"), ...values.map(([value, name]) =>
    el("div", { class: "figure" }, el("b", {}, value), el("span", {}, name))));
}

/** Time saved by clusters and prelabels, against work by hand. */
function timeWords(pace) {
  const saved = (pace?.views ?? []).reduce((total, v) => total + (v.saved_s ?? 0), 0);
  return saved >= 60 ? `; with clusters ${saved >= 7200 ? `${Math.round(saved / 3600)} h` : `${Math.round(saved / 60)} min`} saved` : "";
}

function leftWords(left) {
  if (left === null) return "still to give: known after ten items";
  if (left.high === 0) return "still to give";
  if (left.low === left.high) return "still to give";
  return `still to give; 95 %: ${count(left.low)} to ${count(left.high)}`;
}
