/** What the votes have cost and brought, how many are left, and how they become a label. */
import { $, el, fill, setText } from "./dom.js";
import { count } from "./format.js";

/** @param {any} stats */
export function renderVotes({ spending, remerging }) {
  const { spent, settled, per_item, saved, left, note, votes_max } = spending;
  $("#remerging").hidden = !remerging;
  $("#votes").hidden = spent === 0;
  $("#votes-empty").hidden = spent > 0;
  setText($("#votes-note"), note);
  const values = [
    [count(spent), "votes given"],
    [per_item === null ? "–" : per_item.toFixed(2), `for an item, on average (${count(settled)} settled)`],
    votes_max === 1
      ? ["–", "saved: one vote for an item is the least"]
      : [settled ? count(Math.max(0, saved)) : "–", `saved, against ${votes_max} for each item`],
    [left === null ? "–" : `${left.low < left.high ? "about " : ""}${count(left.value)}`, leftWords(left)],
  ];
  fill($("#votes"), ...values.map(([value, name]) =>
    el("div", { class: "figure" }, el("b", {}, value), el("span", {}, name))));
}

function leftWords(left) {
  if (left === null) return "still to give: known after ten items";
  if (left.high === 0) return "still to give";
  if (left.low === left.high) return "still to give";
  return `still to give; 95 %: ${count(left.low)} to ${count(left.high)}`;
}
