/** Which key means what where shapes are drawn. Pure: a keyboard event in, an intent out. */
import { digitOf } from "../keys.js";

/** The actions whose key a person can change, and the key that each has by itself. */
export const SHAPE_KEYS = {
  "shapes.draw": "r", "shapes.move": "m", "shapes.template": "t", "shapes.polygon": "p", "shapes.points": "u",
  "shapes.lock": "l", "shapes.remove": "x", "shapes.copy": "d", "shapes.alone": "h", "shapes.accept": "a",
  "shapes.next": "j", "shapes.previous": "k", "shapes.fit": "z", "shapes.guides": "g", "shapes.light": "b",
  "shapes.skip": "s", "shapes.flag": "f", "shapes.comment": "c", "shapes.submit": "Enter",
};

/** What each action is: on the pad, on the view or on the page. */
const DOES = {
  "shapes.draw": { type: "pad", event: { type: "tool", tool: "draw" } },
  "shapes.move": { type: "pad", event: { type: "tool", tool: "move" } },
  "shapes.template": { type: "pad", event: { type: "tool", tool: "template" } },
  "shapes.polygon": { type: "pad", event: { type: "tool", tool: "polygon" } },
  "shapes.points": { type: "pad", event: { type: "tool", tool: "points" } },
  "shapes.lock": { type: "pad", event: { type: "lock" } },
  "shapes.remove": { type: "pad", event: { type: "remove" } },
  "shapes.copy": { type: "pad", event: { type: "copy" } },
  "shapes.alone": { type: "pad", event: { type: "alone" } },
  "shapes.accept": { type: "pad", event: { type: "accept" } },
  "shapes.next": { type: "pad", event: { type: "step", by: 1 } },
  "shapes.previous": { type: "pad", event: { type: "step", by: -1 } },
  "shapes.fit": { type: "fit" },
  "shapes.guides": { type: "guides" },
  "shapes.light": { type: "light" },
  "shapes.skip": { type: "skip" },
  "shapes.flag": { type: "flag" },
  "shapes.comment": { type: "comment" },
  "shapes.submit": { type: "submit" },
};

const FIXED = {
  "?": { type: "help" },
  "/": { type: "search", text: "" },
  Delete: { type: "pad", event: { type: "remove" } },
  Backspace: { type: "pad", event: { type: "remove" } },
  Escape: { type: "escape" },
  " ": { type: "place" },
  "+": { type: "zoom", by: 1 },
  "=": { type: "zoom", by: 1 },
  "-": { type: "zoom", by: -1 },
};

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 10;

/**
 * @param {{key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean,
 *   shiftKey?: boolean}} event
 * @param {number} classes how many classes the project has
 * @param {Record<string, string>} [keys] action -> key
 * @returns {?{type: string, [field: string]: any}} null: not ours. `pad`: an event of pad.js
 */
export function shapeIntent(event, classes, keys = SHAPE_KEYS) {
  if (event.altKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const arrow = ARROWS[key];
  if (arrow) {
    const by = arrow.map((step) => step * (event.shiftKey ? FAR : 1));
    return event.ctrlKey || event.metaKey ? { type: "grow", by } : { type: "nudge", by };
  }
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return { type: event.shiftKey ? "redo" : "undo" };
    return key === "y" ? { type: "redo" } : null;
  }
  // With Shift it is all of them; never by a slip of X alone.
  if (event.shiftKey && (key === "Delete" || key === keys["shapes.remove"])) return { type: "pad", event: { type: "clear" } };
  const digit = digitOf(event);
  if (digit === 0) return { type: "none" };
  if (digit > 0) return digit <= Math.min(9, classes) ? { type: "class", index: digit - 1 } : null;
  const action = Object.keys(SHAPE_KEYS).find((name) => keys[name] === key);
  return action ? DOES[action] : (FIXED[key] ?? null);
}
