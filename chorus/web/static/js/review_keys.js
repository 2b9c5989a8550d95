/** Which key means what in the review room. Pure: a keyboard event in, an intent out. */
import { TEXTS } from "./keys.js";

const BOTH = {
  Enter: { type: "decide", action: "approve" },
  r: { type: "decide", action: "requeue" },
  y: { type: "decide", action: "accept_skip" },
  Delete: { type: "decide", action: "remove" },
  Backspace: { type: "decide", action: "remove" },
  u: { type: "undo" },
  g: { type: "view" },
  z: { type: "zoom" },
  s: { type: "similar" },
  n: { type: "note" },
  c: { type: "comment" },
  f: { type: "filter" },
  "/": { type: "search" },
  "?": { type: "help" },
  Escape: { type: "escape" },
  j: { type: "move", step: 1 },
  k: { type: "move", step: -1 },
  ArrowRight: { type: "move", step: 1 },
  ArrowLeft: { type: "move", step: -1 },
};
const GRID = {
  a: { type: "all" },
  " ": { type: "toggle" },
  o: { type: "open" },
  ArrowDown: { type: "row", step: 1 },
  ArrowUp: { type: "row", step: -1 },
};
const SINGLE = {
  ArrowDown: { type: "move", step: 1 },
  ArrowUp: { type: "move", step: -1 },
};

/** Where shapes are drawn, of the picture in view. */
const SHAPES = {
  a: { type: "accept" },
  x: { type: "drop" },
  v: { type: "votes" },
  e: { type: "edit" },
};

/**
 * @param {{key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean,
 *   shiftKey?: boolean}} event
 * @param {"single"|"grid"} view
 * @param {number} classes
 * @param {{text: boolean, multi: boolean, shapes?: ?string}} [task]
 * @returns {?{type: string, [field: string]: any}}
 */
export function intentOf(event, view, classes, task = { text: false, multi: false }) {
  if (event.altKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "y" || (key === "z" && event.shiftKey)) return task.shapes ? { type: "redo" } : null;
    return key === "z" ? { type: "undo" } : null;
  }
  if (key === "0" && task.multi) return { type: "none" };
  if (/^[1-9]$/.test(key)) {
    return Number(key) <= classes ? { type: "class", index: Number(key) - 1 } : null;
  }
  if (task.shapes && view === "single" && SHAPES[key]) return SHAPES[key];
  if (task.text && view === "single" && TEXTS[key]) return TEXTS[key];
  return (view === "grid" ? GRID : SINGLE)[key] ?? BOTH[key] ?? null;
}
