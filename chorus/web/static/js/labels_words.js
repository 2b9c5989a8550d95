/** What an import of labels has found and done, in words. Pure. */
import { count } from "./format.js";

export const KINDS = { labels: "final labels", votes: "votes", prelabels: "prelabels" };

/** Lines of which nothing would go in, for another reason than that it is there. */
export function leftOut({ summary }, { add_classes = false, add_people = false }) {
  return summary.unmatched + summary.faulty + (add_classes ? 0 : summary.classes) + (add_people ? 0 : summary.people);
}

/** One sentence about where it stands. */
export function headline(one) {
  if (one.state === "failed") return one.error ?? "It failed.";
  if (one.state === "checking") return "Looking through the file …";
  if (one.state === "landing") return `${count(one.landed)} of ${count(one.total)} …`;
  if (one.state === "done") {
    const out = Object.values(one.refused).reduce((sum, n) => sum + n, 0);
    return `${count(one.done)} brought in${out ? `, ${count(out)} did not fit` : ""}.`;
  }
  const { ready } = one.summary;
  return ready ? `${count(ready)} would go in. Nothing has changed yet.` : "Nothing would go in as it is.";
}

/** @returns {[string, number][]} what was found, line by line; what there is none of is left out */
export function countRows(one) {
  const s = one.summary;
  if (!s) return [];
  const rows = [
    ["In the file", s.entries], ["Mean an item of the project", s.matched], ["Would go in", s.ready],
    ["Are there already", s.same], ["Need a class that is not there", s.classes],
    ["Of people who are not in the project", s.people], ["Mean no item of the project", s.unmatched],
    ["Cannot be used", s.faulty], ["Say nothing", s.empty],
    ...Object.entries(s.conflicts).map(([why, n]) => [`Left as it is: ${why}`, n]),
  ];
  if (one.state === "done") rows.push(...Object.entries(one.refused).map(([why, n]) => [`Did not fit: ${why}`, n]));
  return rows.filter(([, n], at) => n > 0 || at === 0);
}
