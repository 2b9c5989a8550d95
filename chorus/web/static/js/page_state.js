/**
 * One page in a labeler's hands, as a pure state machine: (state, action) → new state.
 * States are never changed in place, so undo is keeping the old one.
 *
 * @typedef {{class: string}|{classes: string[]}|{boxes: object[]}|{polygons: object[]}} Value of the protocol
 * @typedef {{item_id: number, lease_id: any, name: string, thumb: ?string, image: ?string,
 *   text: ?string, width: number, height: number, prelabel: ?Value & {score: number}, odd: ?number,
 *   vote: ?{vote_id: string, kind: string, value: ?Value}}} Item
 * @typedef {{kind: "label"|"skip"|"flag", classes: string[], by: "person"|"model"|"vote",
 *   shapes?: import("./shapes/shapes.js").Shape[]}} Answer
 *   a label without classes says that none applies; `shapes`: what is drawn, where that is the answer
 * @typedef {{page_id: number, kind: "manual"|"clustered"|"prelabeled"|"practice", unsure: boolean, size: number,
 *   columns: number, items: Item[], answers: Record<number, Answer>, selected: number[],
 *   spent: boolean, focus: number, correcting: boolean, settled: number[], past: object[],
 *   future: object[], came: number,
 *   answering: import("./answering.js").Answering, practice: ?{done: number, of: number},
 *   verdicts: ?Record<number, {right: ?boolean, answer: ?Value, note: ?string}>}} PageState
 *   `future`: what was undone, newest last; `verdicts`: of a practice page that was sent, what is right, as far as it is known here;
 *   `unsure`: of a cluster, whether the model doubts that it is one; `came`: when it was first here, in ms; `spent`: the selection has got a class; it lasts until the person goes elsewhere
 */
import { without } from "./answering.js";

const PAST_MAX = 200;
export const ODD = 0.5;

/** Columns of the grid for so many items: as near to a screen's shape as they allow. */
export function columnsOf(count) {
  return count === 4 ? 2 : Math.max(1, Math.min(3, count));
}

/**
 * The state of a page that came from the server; `draft` is what was answered before a reload.
 * @param {any} page the protocol's Page
 * @param {import("./answering.js").Answering} answering
 * @param {{answers?: Record<number, Answer>, focus?: number, came?: number}} [draft]
 * @returns {PageState}
 */
export function open(page, answering, draft = {}) {
  const unsure = isUnsure(page);
  const items = oddFirst(page, unsure);
  const answers = {};
  for (const item of items) {
    const given = item.vote ? fromVote(item.vote, answering) : draft.answers?.[item.item_id];
    const answer = given ?? fromModel(item, answering);
    if (answer) answers[item.item_id] = answer;
  }
  const state = {
    page_id: page.page_id,
    kind: page.kind,
    unsure,
    size: page.size,
    columns: columnsOf(items.length),
    items,
    answers,
    selected: [],
    spent: false,
    focus: 0,
    correcting: false,
    settled: [],
    past: [],
    future: [],
    came: draft.came ?? Date.now(),
    answering,
    practice: page.practice ?? null,
    verdicts: null,
  };
  const wanted = draft.focus ?? firstMissing(state);
  return { ...state, focus: clamp(wanted < 0 ? 0 : wanted, items.length) };
}

/** An earlier page, to be corrected: every item has the person's standing vote. */
export function reopen(page, answering) {
  return { ...open(page, answering, { came: 0 }), focus: 0, correcting: true };
}

/** A practice page that was sent: nothing is answered there any more. */
export function tell(state) {
  // What was answered before a reload is not sent again, and not told again.
  const before = state.items.filter((i) => i.vote).map((i) => [i.item_id, { right: null, answer: null, note: null }]);
  return { ...state, selected: [], spent: false, past: [], future: [], focus: 0, verdicts: Object.fromEntries(before) };
}

/** Such a page as it was told before a reload. @param {?{page: any, answers: any, verdicts: any}} kept */
export function toldAgain(kept, answering) {
  if (!kept) return null;
  const state = open(kept.page, answering, { answers: kept.answers, focus: 0, came: 0 });
  return { ...state, answers: kept.answers, verdicts: kept.verdicts };
}

/**
 * The likely strangers of a cluster come first, so that they are seen first; where the model is
 * unsure, a mark would say nothing.
 */
function oddFirst(page, unsure) {
  if (page.kind !== "clustered") return [...page.items];
  if (unsure) return page.items.map((i) => ({ ...i, odd: null }));
  const odd = page.items.filter((i) => isOdd(i)).sort((a, b) => b.odd - a.odd);
  return [...odd, ...page.items.filter((i) => !isOdd(i))];
}

/** Much of a cluster's page would be strange: then the model only does not know. */
function isUnsure(page) {
  return page.kind === "clustered" && page.items.filter(isOdd).length > page.items.length / 3;
}

export function isOdd(item) {
  return item.odd !== null && item.odd !== undefined && item.odd >= ODD;
}

function fromVote(vote, answering) {
  return vote.kind === "label"
    ? { kind: "label", by: "vote", ...answering.read(vote.value, "vote") }
    : { kind: vote.kind, classes: [], by: "vote" };
}

function fromModel(item, answering) {
  return item.prelabel ? { kind: "label", by: "model", ...answering.read(item.prelabel, "model") } : null;
}

/**
 * @param {PageState} state
 * @param {{type: string, [field: string]: any}} action
 * @returns {PageState} the same object when nothing changed
 */
export function reduce(state, action) {
  const next = changed(state, action);
  const time = action.type === "undo" || action.type === "redo";
  // Whatever is done anew ends what could be done again.
  return time || next.answers === state.answers && next.past === state.past ? next : { ...next, future: [] };
}

function changed(state, action) {
  switch (action.type) {
    case "draw":
      return draw(state, action.item_id, action.shapes, action.merge ?? null);
    case "label":
      return label(state, action.cls);
    case "untag":
      return untag(state, action.item_id, action.cls);
    case "skip":
    case "flag":
      return pass(state, action.type, action.item_ids ?? targets(state));
    case "clear":
      return clear(state);
    case "move":
      return moveFocus(state, action.dx, action.dy, action.columns ?? state.columns);
    case "focus": {
      const index = state.items.findIndex((i) => i.item_id === action.item_id);
      return index < 0 || index === state.focus ? state : { ...unspent(state), focus: index };
    }
    case "toggle":
      return toggle(unspent(state), action.item_id ?? focused(state)?.item_id);
    case "selectAll":
      return selectAll(state);
    case "selectNone":
      return state.selected.length ? { ...state, selected: [], spent: false, past: remember(state) } : state;
    case "focusMissing": {
      const index = firstMissing(state);
      return index < 0 ? state : { ...state, focus: index };
    }
    case "close":
      return close(state, action.item_id, action.replacement ?? null);
    case "undo":
      return back(state, "past", "future");
    case "redo":
      return back(state, "future", "past");
    default:
      throw new Error(`unknown action ${action.type}`);
  }
}

/**
 * The page after classes were renamed: what was answered is still said, by the new names.
 * @param {PageState} state
 * @param {Map<string, string>} names new by old
 */
export function renamed(state, names) {
  const all = (classes) => classes?.map((name) => names.get(name) ?? name);
  const answers = (old) => Object.fromEntries(
    Object.entries(old).map(([id, a]) => [id, { ...a, classes: all(a.classes), ...drawn(a) }]));
  const drawn = ({ shapes }) => shapes && { shapes: shapes.map((s) => ({ ...s, cls: names.get(s.cls) ?? s.cls })) };
  const steps = (list) => list.map((step) => ({ ...step, answers: answers(step.answers) }));
  return {
    ...state,
    items: state.items.map((item) => renamedItem(item, names)),
    answers: answers(state.answers),
    past: steps(state.past),
    future: steps(state.future),
  };
}

/** An item with its prelabel and vote by the new names of their classes. */
export function renamedItem(item, names) {
  const to = (value) => {
    if (!value) return value;
    const kind = ["boxes", "polygons"].find((name) => value[name]);
    if (kind) return { ...value, [kind]: value[kind].map((s) => ({ ...s, class: names.get(s.class) ?? s.class })) };
    if (value.classes) return { ...value, classes: value.classes.map((name) => names.get(name) ?? name) };
    return "class" in value ? { ...value, class: names.get(value.class) ?? value.class } : value;
  };
  const vote = item.vote && { ...item.vote, value: to(item.vote.value) };
  return { ...item, prelabel: to(item.prelabel), vote };
}

export function focused(state) {
  return state.items[state.focus];
}

/** Those an answer goes to: the selection, or else the focused item. */
export function targets(state) {
  if (state.selected.length) return state.selected;
  const item = focused(state);
  return item ? [item.item_id] : [];
}

function moment({ answers, selected, spent, focus }, merge = null) {
  return { answers, selected, spent, focus, merge };
}

/** @param {?string} [merge] what comes next with the same name is one step with this */
function remember(state, merge = null) {
  return [...state.past, moment(state, merge)].slice(-PAST_MAX);
}

/** Without a selection that has got its classes: what comes next is about something else. */
function unspent(state) {
  return state.spent ? { ...state, selected: [], spent: false } : state;
}

/** Give the targets a class; null: say that none applies. */
function label(state, cls) {
  const ids = targets(state);
  const said = (id) => (state.answers[id]?.kind === "label" ? state.answers[id].classes : null);
  const after = state.answering.give(ids.map(said), cls);
  const answers = after.map((classes) => classes && { kind: "label", classes, by: "person" });
  return answer(state, ids, answers, state.answering.completes(cls));
}

/**
 * No label: that nobody can tell ("skip"), or that something is wrong with it ("flag"). Items that
 * are not here any more are left out.
 */
function pass(state, kind, ids) {
  const here = ids.filter((id) => state.items.some((i) => i.item_id === id));
  return answer(state, here, here.map(() => ({ kind, classes: [], by: "person" })), true);
}

/** What is drawn on an item's picture now. */
function draw(state, id, shapes, merge) {
  if (!state.items.some((i) => i.item_id === id)) return state;
  const classes = [...new Set(shapes.map((s) => s.cls))];
  const answers = { ...state.answers, [id]: { kind: "label", classes, shapes, by: "person" } };
  const one = merge !== null && state.past.at(-1)?.merge === merge;
  return { ...state, answers, past: one ? state.past : remember(state, merge) };
}

/** Take one class from one item. */
function untag(state, id, cls) {
  const index = state.items.findIndex((i) => i.item_id === id);
  if (index < 0 || !state.answers[id]?.classes.includes(cls)) return state;
  const classes = without(state.answers[id].classes, cls);
  const left = classes && { kind: "label", classes, by: "person" };
  return { ...answer(state, [id], [left], false), focus: index };
}

/**
 * Put these answers (null: none) in place of the old ones. `complete`: nothing is left to say of
 * them. Then a selection ends; the focus stays after it, and moves on after an answer to its item.
 */
function answer(state, ids, given, complete) {
  if (!ids.length) return state;
  const answers = { ...state.answers };
  ids.forEach((id, at) => {
    if (given[at]) answers[id] = given[at];
    else delete answers[id];
  });
  const past = remember(state);
  const chosen = state.selected.length > 0;
  if (!complete || given.includes(null)) return { ...state, answers, spent: chosen, past };
  if (chosen) return { ...state, answers, selected: [], spent: false, past };
  const next = { ...state, answers, past };
  return ids.includes(focused(state).item_id) ? { ...next, focus: focusAfter(next) } : next;
}

function focusAfter(state) {
  if (state.focus + 1 < state.items.length) return state.focus + 1;
  const missing = firstMissing(state);
  return missing < 0 ? state.focus : missing;
}

function clear(state) {
  const ids = targets(state).filter((id) => state.answers[id]);
  if (!ids.length) return state;
  const answers = { ...state.answers };
  for (const id of ids) delete answers[id];
  return { ...state, answers, selected: [], spent: false, past: remember(state) };
}

function moveFocus(state, dx, dy, columns) {
  const last = state.items.length - 1;
  const row = (index) => Math.floor(index / columns);
  let index = state.focus + dx + dy * columns;
  if (index < 0) index = state.focus;
  // Down into a shorter last row goes to its end.
  if (index > last) index = row(last) > row(state.focus) ? last : state.focus;
  return index === state.focus ? state : { ...unspent(state), focus: index };
}

function toggle(state, id) {
  const index = state.items.findIndex((i) => i.item_id === id);
  if (index < 0) return state;
  const selected = state.selected.includes(id)
    ? state.selected.filter((s) => s !== id)
    : [...state.selected, id];
  return { ...state, selected, focus: index, past: remember(state) };
}

function selectAll(state) {
  const all = state.items.map((i) => i.item_id);
  const selected = state.selected.length === all.length ? [] : all;
  return { ...state, selected, spent: false, past: remember(state) };
}

/** One step from one list of moments onto the other: into the past, or again out of it. */
function back(state, from, to) {
  const last = state[from].at(-1);
  if (!last) return state;
  const ids = new Set(state.items.map((i) => i.item_id));
  const answers = Object.fromEntries(
    Object.entries(last.answers).filter(([id]) => ids.has(Number(id))),
  );
  return {
    ...state,
    answers,
    selected: last.selected.filter((id) => ids.has(id)),
    spent: last.spent,
    focus: clamp(last.focus, state.items.length),
    [from]: state[from].slice(0, -1),
    [to]: [...state[to], moment(state)],
  };
}

/** Colleagues settled an item: another takes its place, or the page shrinks. */
function close(state, id, replacement) {
  const index = state.items.findIndex((i) => i.item_id === id);
  if (index < 0) return state;
  const items = [...state.items];
  const answers = { ...state.answers };
  delete answers[id];
  const settled = state.settled.filter((s) => s !== id);
  if (replacement) {
    items[index] = replacement;
    settled.push(replacement.item_id);
    const given = fromModel(replacement, state.answering);
    if (given) answers[replacement.item_id] = given;
  } else {
    items.splice(index, 1);
  }
  const shift = !replacement && index < state.focus ? 1 : 0;
  return {
    ...state,
    items,
    answers,
    settled,
    selected: state.selected.filter((s) => s !== id),
    focus: clamp(state.focus - shift, items.length),
  };
}

function clamp(index, length) {
  return Math.max(0, Math.min(index, length - 1));
}

function firstMissing(state) {
  return state.items.findIndex((i) => !state.answers[i.item_id]);
}

/** How many items still need an answer. */
export function missing(state) {
  return state.items.filter((i) => !state.answers[i.item_id]).length;
}

/** Has the person done anything here that must not get lost? */
export function touched(state) {
  return Object.values(state.answers).some((a) => a.by === "person");
}

/**
 * What there is to send: an answer for each item, but for those whose standing vote says the
 * same. `onlyPersons` leaves out what the model answered and nobody confirmed.
 * @returns {{item: Item, kind: string, value: ?Value, supersedes: ?string}[]}
 */
export function toSend(state, onlyPersons = false) {
  const out = [];
  for (const item of state.items) {
    const given = state.answers[item.item_id];
    if (!given || given.by === "vote" || (onlyPersons && given.by !== "person")) continue;
    if (item.vote && sameAnswer(state.answering, fromVote(item.vote, state.answering), given)) continue;
    out.push({
      item,
      kind: given.kind,
      value: given.kind === "label" ? state.answering.value(given) : null,
      supersedes: item.vote?.vote_id ?? null,
    });
  }
  return out;
}

function sameAnswer(answering, a, b) {
  return a.kind === b.kind && (a.kind !== "label" || answering.same(a, b));
}
