/**
 * A reviewer's decision about one picture while it is put together: the shapes that most people drew
 * are in it, the disputed ones wait (`by` the model, as predicted ones do) until they are accepted or
 * dropped. Pure.
 *
 * @typedef {import("./shapes.js").Shape} Shape
 * @typedef {{seen: number, of: number, iou: ?number, by: string[]}} Support who drew it
 * @typedef {{shapes: Shape[], support: Map<number, Support>, past: {shapes: Shape[], merge: ?string}[],
 *   future: {shapes: Shape[], merge: ?string}[], begun: Shape[]}} Verdict
 *   `support`: by the shape's id; `begun`: the shapes as the votes have them
 */
import { edited, outlineOf, read, same } from "./shapes.js";

/**
 * @param {any} item of the review room @returns {Verdict}
 */
export function begin(item) {
  const { shapes: agreed = [], disputed = [] } = item.consensus ?? {};
  // What a reviewer has decided is where one goes on; its disputes are over.
  const decided = item.source === "review" || item.source === "import" || item.source === "gold";
  const label = item.label ?? item.provisional;
  const start = decided && label ? label : agreed;
  const shapes = read(start, "vote");
  const open = decided ? [] : read(disputed, "model").map((s) => ({ ...s, id: s.id + shapes.length, score: null }));
  const all = [...shapes, ...open];
  const support = new Map();
  const given = [...agreed, ...disputed].map((one) => [formKey(read([one], "vote")[0]), one]);
  for (const shape of all) {
    const found = given.find(([key]) => key === formKey(shape))?.[1];
    if (found) support.set(shape.id, { seen: found.seen, of: found.of, iou: found.iou ?? null, by: found.by ?? [] });
  }
  return { shapes: all, support, past: [], future: [], begun: all };
}

function formKey(shape) {
  return JSON.stringify([shape.cls, outlineOf(shape)]);
}

/** @param {Verdict} verdict @param {Shape[]} shapes @param {?string} [merge] one step with the one before of this name */
export function changed(verdict, shapes, merge = null) {
  if (shapes === verdict.shapes) return verdict;
  const one = merge !== null && verdict.past.at(-1)?.merge === merge;
  const past = one ? verdict.past : [...verdict.past, { shapes: verdict.shapes, merge }];
  return { ...verdict, shapes, past, future: [] };
}

/** Back a step, or, `by` 1, on again. */
export function stepped(verdict, by) {
  const [from, to] = by < 0 ? ["past", "future"] : ["future", "past"];
  const last = verdict[from].at(-1);
  if (!last) return verdict;
  return {
    ...verdict, shapes: last.shapes, [from]: verdict[from].slice(0, -1),
    [to]: [...verdict[to], { shapes: verdict.shapes, merge: null }],
  };
}

/** The disputed shapes that nobody has said anything about yet. @returns {Shape[]} */
export function openOf(verdict) {
  return verdict.shapes.filter((s) => s.by === "model");
}

/** Accept an open one. */
export function accepted(verdict, id) {
  return changed(verdict, edited(verdict.shapes, { type: "accept", id }));
}

/** Drop one. */
export function dropped(verdict, id) {
  return changed(verdict, edited(verdict.shapes, { type: "remove", id }));
}

/** What would be decided now: without those still open. @returns {Shape[]} */
export function decisionOf(verdict) {
  return verdict.shapes.filter((s) => s.by !== "model");
}

/** Is it anything else than what the item is said to be? @param {any} item */
export function differs(verdict, item) {
  const label = item.label ?? item.provisional;
  return label === null || !same(decisionOf(verdict), read(label, "vote"));
}

/** "2 of 3, IoU 0.81" @param {?Support} support */
export function supportWords(support) {
  if (!support) return "";
  const apart = support.iou === null || support.seen < 2 ? "" : `, IoU ${support.iou.toFixed(2)}`;
  return `${support.seen} of ${support.of}${apart}`;
}
