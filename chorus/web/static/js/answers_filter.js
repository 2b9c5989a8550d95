/** Which of their own answers a person looks for: kept in the address, told to the server. Pure. */

/** As `class`: the set of none. No class of a set may have this in its name. */
export const NO_CLASS = "|";

/** @typedef {{text: string, class: string, kind: string, from: string, to: string}} Filter */

/** @type {Filter} */
export const NONE = { text: "", class: "", kind: "", from: "", to: "" };
const KINDS = ["label", "skip", "flag"];
const DAY = /^\d{4}-\d\d-\d\d$/;

/** @param {string} search the address's query @returns {Filter} */
export function fromAddress(search) {
  const given = new URLSearchParams(search);
  const text = (name) => given.get(name) ?? "";
  return {
    text: text("text"),
    class: text("class"),
    kind: KINDS.includes(text("kind")) ? text("kind") : "",
    from: DAY.test(text("from")) ? text("from") : "",
    to: DAY.test(text("to")) ? text("to") : "",
  };
}

/** @param {Filter} filter @param {string} path */
export function toAddress(filter, path) {
  const out = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  const query = out.toString();
  return query ? `?${query}` : path;
}

export function active(filter) {
  return Object.values(filter).some(Boolean);
}

/** The body of `labeling.history`; days begin and end where this person is. */
export function toQuery(filter) {
  const out = {};
  if (filter.text.trim()) out.text = filter.text.trim();
  if (filter.class) out.class = filter.class === NO_CLASS ? "" : filter.class;
  if (filter.kind) out.kind = filter.kind;
  if (filter.from) out.since = midnight(filter.from, 0);
  if (filter.to) out.until = midnight(filter.to, 1);
  return out;
}

function midnight(day, later) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime();
}
