/** Which key means what on the labeler's page. Pure: a keyboard event in, an intent out. */

/** The actions whose key a person can change, and the key that each has by itself. */
export const KEYS = {
  selectAll: "a", clear: "x", skip: "s", flag: "f", comment: "c", undo: "u", zoom: "z", toggle: " ",
  submit: "Enter",
};

const FIXED = {
  "?": { type: "help" },
  "/": { type: "search", text: "" },
  Backspace: { type: "clear" },
  Escape: { type: "escape" },
  ArrowLeft: { type: "move", dx: -1, dy: 0 },
  ArrowRight: { type: "move", dx: 1, dy: 0 },
  ArrowUp: { type: "move", dx: 0, dy: -1 },
  ArrowDown: { type: "move", dx: 0, dy: 1 },
};

/** Where an answer is a set of classes: Tab goes on, since a class key does not. */
const SETS = {
  Tab: { type: "step", by: 1 },
};
/** Where items are texts, in every room: the letters' size, reading on. */
export const TEXTS = {
  "-": { type: "letters", by: -1 },
  "+": { type: "letters", by: 1 },
  "=": { type: "letters", by: 1 },
  PageDown: { type: "read", by: 1 },
  PageUp: { type: "read", by: -1 },
};

/**
 * @param {{key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean,
 *   shiftKey?: boolean}} event
 * @param {number} classes how many classes the project has
 * @param {{text: boolean, multi: boolean}} [task]
 * @param {Record<string, string>} [keys] action -> key
 * @returns {?{type: string, [field: string]: any}} null: not ours
 */
export function intentOf(event, classes, task = { text: false, multi: false }, keys = KEYS) {
  if (event.altKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return { type: event.shiftKey ? "redo" : "undo" };
    return key === "y" ? { type: "redo" } : null;
  }
  const digit = digitOf(event);
  if (digit === 0 && task.multi) return { type: "none" };
  if (digit > 0) return digit <= Math.min(9, classes) ? { type: "class", index: digit - 1 } : null;
  if (task.multi && SETS[key]) return event.shiftKey ? { ...SETS[key], by: -SETS[key].by } : SETS[key];
  const action = Object.keys(KEYS).find((name) => keys[name] === key);
  if (action) return { type: action };
  const command = FIXED[key] ?? (task.text ? TEXTS[key] : undefined);
  if (command) return command;
  // Beyond nine classes a letter begins a search.
  if (classes > 9 && key.length === 1 && /\p{L}/u.test(key)) return { type: "search", text: key };
  return null;
}

/** The digit row gives other characters on some layouts (French); its place counts. -1: no digit. */
export function digitOf(event) {
  if (/^[0-9]$/.test(event.key)) return Number(event.key);
  const place = /^(?:Digit|Numpad)([0-9])$/.exec(event.code ?? "");
  return place && !/^[?/]$/.test(event.key) && !event.shiftKey && event.key.length === 1
    ? Number(place[1])
    : -1;
}
