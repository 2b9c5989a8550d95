/**
 * One page in a labeler's hands, as a pure state machine: (state, action) → new state.
 * States are never changed in place, so undo is keeping the old one.
 *
 * @typedef {{class: string, score: number}} Prelabel
 * @typedef {{item_id: number, lease_id: any, name: string, thumb: string, image: string,
 *   width: number, height: number, prelabel: ?Prelabel, odd: ?number,
 *   vote: ?{vote_id: string, kind: string, value: ?{class: string}}}} Item
 * @typedef {{kind: "label"|"skip", cls: ?string, by: "person"|"model"|"vote"}} Answer
 * @typedef {{page_id: number, kind: "manual"|"clustered"|"prelabeled", size: number,
 *   columns: number, items: Item[], answers: Record<number, Answer>, selected: number[], focus: number,
 *   correcting: boolean, settled: number[], past: object[]}} PageState
 */

const PAST_MAX = 200;
export const ODD = 0.5;

/** Columns of the grid for so many items: as near to a screen's shape as they allow. */
export function columnsOf(count) {
  return count === 4 ? 2 : Math.max(1, Math.min(3, count));
}

/**
 * The state of a page that came from the server; `draft` is what was answered before a reload.
 * @param {any} page the protocol's Page
 * @param {{answers?: Record<number, Answer>, focus?: number}} [draft]
 * @returns {PageState}
 */
export function open(page, draft = {}) {
  const items = oddFirst(page);
  const answers = {};
  for (const item of items) {
    const given = item.vote ? fromVote(item.vote) : draft.answers?.[item.item_id];
    const answer = given ?? fromModel(item);
    if (answer) answers[item.item_id] = answer;
  }
  const state = {
    page_id: page.page_id,
    kind: page.kind,
    size: page.size,
    columns: columnsOf(items.length),
    items,
    answers,
    selected: [],
    focus: 0,
    correcting: false,
    settled: [],
    past: [],
  };
  const wanted = draft.focus ?? firstMissing(state);
  return { ...state, focus: clamp(wanted < 0 ? 0 : wanted, items.length) };
}

/** An earlier page, to be corrected: every item has the person's standing vote. */
export function reopen(page) {
  return { ...open(page), focus: 0, correcting: true };
}

/**
 * The likely strangers of a cluster come first, so that they are seen first. Where most of a page
 * would be strange nobody is: then the model is only unsure, and a mark would say nothing.
 */
function oddFirst(page) {
  if (page.kind !== "clustered") return [...page.items];
  const odd = page.items.filter((i) => isOdd(i)).sort((a, b) => b.odd - a.odd);
  if (odd.length > page.items.length / 3) return page.items.map((i) => ({ ...i, odd: null }));
  return [...odd, ...page.items.filter((i) => !isOdd(i))];
}

export function isOdd(item) {
  return item.odd !== null && item.odd !== undefined && item.odd >= ODD;
}

function fromVote(vote) {
  const label = vote.kind === "label";
  return { kind: label ? "label" : "skip", cls: label ? vote.value.class : null, by: "vote" };
}

function fromModel(item) {
  return item.prelabel ? { kind: "label", cls: item.prelabel.class, by: "model" } : null;
}

/**
 * @param {PageState} state
 * @param {{type: string, [field: string]: any}} action
 * @returns {PageState} the same object when nothing changed
 */
export function reduce(state, action) {
  switch (action.type) {
    case "label":
      return answer(state, { kind: "label", cls: action.cls, by: "person" });
    case "skip":
      return answer(state, { kind: "skip", cls: null, by: "person" });
    case "clear":
      return clear(state);
    case "move":
      return moveFocus(state, action.dx, action.dy, action.columns ?? state.columns);
    case "focus": {
      const index = state.items.findIndex((i) => i.item_id === action.item_id);
      return index < 0 || index === state.focus ? state : { ...state, focus: index };
    }
    case "toggle":
      return toggle(state, action.item_id ?? focused(state)?.item_id);
    case "selectAll":
      return selectAll(state);
    case "focusMissing": {
      const index = firstMissing(state);
      return index < 0 ? state : { ...state, focus: index };
    }
    case "close":
      return close(state, action.item_id, action.replacement ?? null);
    case "undo":
      return undo(state);
    default:
      throw new Error(`unknown action ${action.type}`);
  }
}

export function focused(state) {
  return state.items[state.focus];
}

/** Those an answer goes to: the selection, or else the focused item. */
function targets(state) {
  if (state.selected.length) return state.selected;
  const item = focused(state);
  return item ? [item.item_id] : [];
}

function remember(state) {
  const { answers, selected, focus } = state;
  return [...state.past, { answers, selected, focus }].slice(-PAST_MAX);
}

function answer(state, given) {
  const ids = targets(state);
  if (!ids.length) return state;
  const answers = { ...state.answers };
  for (const id of ids) answers[id] = given;
  const past = remember(state);
  // After a selection the focus stays; after a single answer it moves on.
  if (state.selected.length) return { ...state, answers, selected: [], past };
  const next = { ...state, answers, past };
  return { ...next, focus: focusAfter(next) };
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
  return { ...state, answers, selected: [], past: remember(state) };
}

function moveFocus(state, dx, dy, columns) {
  const last = state.items.length - 1;
  const row = (index) => Math.floor(index / columns);
  let index = state.focus + dx + dy * columns;
  if (index < 0) index = state.focus;
  // Down into a shorter last row goes to its end.
  if (index > last) index = row(last) > row(state.focus) ? last : state.focus;
  return index === state.focus ? state : { ...state, focus: index };
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
  return { ...state, selected, past: remember(state) };
}

function undo(state) {
  const last = state.past.at(-1);
  if (!last) return state;
  const ids = new Set(state.items.map((i) => i.item_id));
  const answers = Object.fromEntries(
    Object.entries(last.answers).filter(([id]) => ids.has(Number(id))),
  );
  return {
    ...state,
    answers,
    selected: last.selected.filter((id) => ids.has(id)),
    focus: clamp(last.focus, state.items.length),
    past: state.past.slice(0, -1),
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
    const given = fromModel(replacement);
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
 * @returns {{item: Item, kind: string, value: ?{class: string}, supersedes: ?string}[]}
 */
export function toSend(state, onlyPersons = false) {
  const out = [];
  for (const item of state.items) {
    const given = state.answers[item.item_id];
    if (!given || given.by === "vote" || (onlyPersons && given.by !== "person")) continue;
    if (item.vote && sameAnswer(fromVote(item.vote), given)) continue;
    out.push({
      item,
      kind: given.kind,
      value: given.kind === "label" ? { class: given.cls } : null,
      supersedes: item.vote?.vote_id ?? null,
    });
  }
  return out;
}

function sameAnswer(a, b) {
  return a.kind === b.kind && a.cls === b.cls;
}
