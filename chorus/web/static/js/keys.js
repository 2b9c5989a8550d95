/** Which key means what on the labeler's page. Pure: a keyboard event in, an intent out. */

const COMMANDS = {
  " ": { type: "toggle" },
  a: { type: "selectAll" },
  x: { type: "clear" },
  s: { type: "skip" },
  u: { type: "undo" },
  z: { type: "zoom" },
  "?": { type: "help" },
  "/": { type: "search", text: "" },
  Enter: { type: "submit" },
  Backspace: { type: "clear" },
  Escape: { type: "escape" },
  ArrowLeft: { type: "move", dx: -1, dy: 0 },
  ArrowRight: { type: "move", dx: 1, dy: 0 },
  ArrowUp: { type: "move", dx: 0, dy: -1 },
  ArrowDown: { type: "move", dx: 0, dy: 1 },
};

/**
 * @param {{key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @param {number} classes how many classes the project has
 * @returns {?{type: string, [field: string]: any}} null: not ours
 */
export function intentOf(event, classes) {
  if (event.altKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) return key === "z" ? { type: "undo" } : null;
  const digit = digitOf(event);
  if (digit > 0) return digit <= Math.min(9, classes) ? { type: "class", index: digit - 1 } : null;
  if (COMMANDS[key]) return COMMANDS[key];
  // Beyond nine classes a letter begins a search.
  if (classes > 9 && key.length === 1 && /\p{L}/u.test(key)) return { type: "search", text: key };
  return null;
}

/** The digit row gives other characters on some layouts (French); its place counts. */
function digitOf(event) {
  if (/^[1-9]$/.test(event.key)) return Number(event.key);
  const place = /^(?:Digit|Numpad)([1-9])$/.exec(event.code ?? "");
  return place && !/^[?/]$/.test(event.key) && !event.shiftKey && event.key.length === 1
    ? Number(place[1])
    : 0;
}
