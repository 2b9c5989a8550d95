/** What a reviewer asks to see: read from and kept in the address, told to the server. Pure. */
import { classesOf, sameClasses } from "./task.js";

export const STATES = ["needs_review", "skipped", "in_progress", "labeled", "all"];
const HIDDEN_STATES = ["unlabeled", "removed"];
/** As `class`: labeled with the set of none. No class of a set may have this in its name. */
export const NO_CLASS = "|";
const BY_DOUBT = ["needs_review", "skipped"];

/**
 * @typedef {{state: string, class: string, labeler: string, min: string, max: string,
 *   disagreement: string, changed: boolean, gold: boolean, flagged: boolean, comments: string, text: string, order: string, like: number}} Filter
 */

/** @type {Filter} */
export const NONE = {
  state: "needs_review", class: "", labeler: "", min: "", max: "", disagreement: "",
  changed: false, gold: false, flagged: false, comments: "", text: "", order: "", like: 0,
};

/** @param {string} search the address's query @returns {Filter} */
export function fromAddress(search) {
  const given = new URLSearchParams(search);
  const text = (name) => given.get(name) ?? "";
  const state = text("state");
  return {
    state: [...STATES, ...HIDDEN_STATES].includes(state) ? state : NONE.state,
    class: text("class"),
    labeler: text("labeler"),
    min: share(text("min")),
    max: share(text("max")),
    disagreement: ["people", "model"].includes(text("disagreement")) ? text("disagreement") : "",
    changed: text("changed") === "1",
    gold: text("gold") === "1",
    flagged: text("flagged") === "1",
    comments: ["any", "unread"].includes(text("comments")) ? text("comments") : "",
    text: text("text"),
    order: ["doubt", "item"].includes(text("order")) ? text("order") : "",
    like: Number.parseInt(text("like"), 10) || 0,
  };
}

/** A share of hundred as typed: whole percent, or nothing. */
function share(text) {
  const n = Number.parseInt(text, 10);
  return Number.isFinite(n) && n >= 0 && n <= 100 ? String(n) : "";
}

/** @param {Filter} filter @param {string} view */
export function toAddress(filter, view) {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(filter)) {
    if (value !== NONE[key]) out.set(key, value === true ? "1" : String(value));
  }
  if (view === "grid") out.set("view", view);
  const query = out.toString();
  return query ? `?${query}` : location.pathname;
}

/** How many filters are on, beside the state. */
export function active(filter) {
  const keys = ["class", "labeler", "min", "max", "disagreement", "changed", "gold", "flagged", "comments", "text"];
  return keys.filter((k) => filter[k] !== NONE[k]).length;
}

export function byDoubt(filter) {
  return filter.order ? filter.order === "doubt" : BY_DOUBT.includes(filter.state);
}

/** The body of `review.list` for this filter. */
export function toQuery(filter) {
  const out = { state: filter.state, order: byDoubt(filter) ? "doubt" : "item" };
  if (filter.class) out.class = filter.class === NO_CLASS ? "" : filter.class;
  if (filter.labeler) out.labeler = filter.labeler;
  if (filter.min) out.confidence_min = Number(filter.min) / 100;
  if (filter.max) out.confidence_max = Number(filter.max) / 100;
  if (filter.disagreement) out.disagreement = filter.disagreement;
  if (filter.changed) out.prelabel_changed = true;
  if (filter.gold) out.gold = true;
  if (filter.flagged) out.flagged = true;
  if (filter.comments) out.comments = filter.comments;
  if (filter.text.trim()) out.text = filter.text.trim();
  return out;
}

/** Does an item, as it is now, belong into the list? The same rules as the server's. */
export function matches(item, filter) {
  if (filter.like) return !["labeled", "removed"].includes(item.state);
  if (filter.state === "all" ? item.state === "removed" : item.state !== filter.state) return false;
  if (filter.class && !hasClass(saidOf(item), filter.class)) return false;
  const standing = item.votes.filter((v) => v.standing);
  if (filter.labeler && !standing.some((v) => v.user_id === filter.labeler)) return false;
  const sure = item.confidence;
  if (filter.min && !(sure !== null && sure >= Number(filter.min) / 100)) return false;
  if (filter.max && !(sure !== null && sure <= Number(filter.max) / 100)) return false;
  if (filter.disagreement === "people" && !(item.agreement !== null && item.agreement < 1)) return false;
  if (filter.disagreement === "model" && !contradicts(item)) return false;
  if (filter.changed && !standing.some(changedPrelabel)) return false;
  if (filter.gold && !item.gold) return false;
  if (filter.flagged && !item.flagged?.length) return false;
  // What was unread stays in the list once it is read, or it would vanish under one's eyes.
  if (filter.comments && !item.comments) return false;
  const wanted = filter.text.trim().toLowerCase();
  return !wanted || item.name.toLowerCase().includes(wanted);
}

/** The classes of an item's label, or of what its votes say so far; null: nothing. */
export function saidOf(item) {
  return classesOf(item.label ?? item.provisional);
}

/** What it is said to be, as a decision says it: the shapes themselves where those are the answer. */
export function decisionOf(item) {
  const said = item.label ?? item.provisional;
  return typeof said?.[0] === "object" ? said : saidOf(item);
}

function hasClass(said, name) {
  return said !== null && (name === NO_CLASS ? !said.length : said.includes(name));
}

/** The model says something else than the people. */
export function contradicts(item) {
  const [said, model] = [saidOf(item), classesOf(item.model)];
  return said !== null && model !== null && !sameClasses(said, model);
}

function changedPrelabel(vote) {
  return vote.kind === "label" && vote.prelabel !== null
    && !sameClasses(classesOf(vote.value), classesOf(vote.prelabel));
}

/** Is `a` listed before `b`? */
export function before(a, b, filter) {
  if (byDoubt(filter) && a.doubt !== b.doubt) return a.doubt > b.doubt;
  return a.item_id < b.item_id;
}
