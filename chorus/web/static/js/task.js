/**
 * What a project's task type means for its pages: whether its items are pictures or texts, and
 * whether an answer is one class, a set of them, or shapes drawn on the picture. Pure.
 */

import { _ } from "./i18n.js";

/** The answer that says that no class applies. */
export const NONE_WORD = _("None of these");

/**
 * @typedef {{text: boolean, multi: boolean, shapes: ?"boxes"|"polygons", thing: string}} Task
 * @param {{task_type: string}} project
 * @returns {Task}
 */
export function taskOf({ task_type }) {
  const text = task_type.startsWith("text-");
  const shapes = task_type === "boxes" || task_type === "polygons" ? task_type : null;
  return { text, multi: task_type.endsWith("multilabel"), shapes, thing: text ? "text" : "picture" };
}

/**
 * The classes that something names, whichever form it has: a class, several, a value of the
 * protocol. Null stays null: nothing is said. An empty list says that no class applies.
 * @param {any} said
 * @returns {?string[]}
 */
export function classesOf(said) {
  if (said === null || said === undefined) return null;
  if (typeof said === "string") return [said];
  if (Array.isArray(said)) return typeof said[0] === "object" ? eachOnce(said) : said;
  if (Array.isArray(said.classes)) return said.classes;
  // Each class that was drawn, once.
  const drawn = said.boxes ?? said.polygons;
  if (Array.isArray(drawn)) return eachOnce(drawn);
  return typeof said.class === "string" ? [said.class] : null;
}

/** Shapes in words: "12 cat, 1 dog". */
function drawnWords(shapes) {
  return eachOnce(shapes).map((name) => `${shapes.filter((s) => s.class === name).length} ${name}`).join(", ");
}

/** The classes of shapes. */
function eachOnce(shapes) {
  return [...new Set(shapes.map((shape) => shape.class))];
}

/** The value of the protocol for these classes, or shapes as they are in it. */
export function valueOf(task, classes) {
  if (task.shapes) return { [task.shapes]: classes };
  return task.multi ? { classes } : { class: classes[0] };
}

/** Classes in words: "cat, dog"; "None of these" for the empty set. */
export function wordsOf(classes) {
  if (typeof classes[0] === "object") return drawnWords(classes);
  return classes.length ? classes.join(", ") : NONE_WORD;
}

/** Do two answers name the same classes, in whatever order? */
export function sameClasses(a, b) {
  if (a === null || b === null) return a === b;
  if (typeof (a[0] ?? b[0]) === "object") return JSON.stringify(a) === JSON.stringify(b);
  return a.length === b.length && a.every((name) => b.includes(name));
}

/** `classes` in the project's order; what the project does not know comes last. */
export function inOrder(classes, order) {
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...classes].sort((a, b) => place(a) - place(b));
}
