/**
 * The shapes drawn on one picture, and what can be done to them. Pure: lists are never changed in
 * place, so undo is keeping the old one.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {{id: number, cls: string, box: ?Box, points: ?Point[], score: ?number,
 *   by: "person"|"model"|"vote", locked: boolean}} Shape
 *   either `box` or `points`; `by` the model until a person has accepted or changed it
 * @typedef {{box: Box}|{points: Point[]}} Form where a shape is
 */
import { around, corners, inside, intoPicture, room, round } from "./geometry.js";

/** More than these the server does not take: shapes, points of one, and points of all together. */
const MOST = 2000;
const POINTS_MOST = 2000;
const POINTS_IN_ALL_MOST = 20_000;

/** Does the server take so much on one picture? @param {{points?: ?Point[]}[]} shapes */
export function fits(shapes) {
  const points = shapes.map((s) => s.points?.length ?? 0);
  return shapes.length <= MOST && points.every((n) => n <= POINTS_MOST)
    && points.reduce((sum, n) => sum + n, 0) <= POINTS_IN_ALL_MOST;
}

/**
 * @param {any} value of the protocol, of a vote or a prelabel; or the list in it
 * @param {Shape["by"]} by @returns {Shape[]}
 */
export function read(value, by) {
  const list = Array.isArray(value) ? value : (value?.boxes ?? value?.polygons ?? []);
  return list.map((one, at) => ({
    id: at + 1, cls: one.class, box: one.box ?? null, points: one.points ?? null,
    score: one.score ?? null, by, locked: false,
  }));
}

/** The value of the protocol. @param {"boxes"|"polygons"} kind @param {Shape[]} shapes */
export function write(kind, shapes) {
  const list = shapes.map((s) => (kind === "boxes" ? { class: s.cls, box: s.box } : { class: s.cls, points: s.points }));
  return { [kind]: list };
}

/** Do two lists say the same, in whatever order? */
export function same(a, b) {
  if (a.length !== b.length) return false;
  const said = (list) => list.map((s) => JSON.stringify([s.cls, s.box, s.points])).sort().join();
  return said(a) === said(b);
}

/** How many there are of each class, most first. @returns {[string, number][]} */
export function tally(shapes) {
  const counts = new Map();
  for (const { cls } of shapes) counts.set(cls, (counts.get(cls) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** The box around a shape. @param {{box: ?Box, points: ?Point[]}} shape @returns {Box} */
export function boundsOf(shape) {
  return shape.box ?? around(shape.points);
}

/** @param {{box: ?Box, points: ?Point[]}} shape @returns {Point[]} */
export function outlineOf(shape) {
  return shape.points ?? corners(shape.box);
}

/** Is this point on the shape? @param {Shape} shape @param {Point} at */
export function covers(shape, at) {
  if (shape.points) return inside(shape.points, at);
  const [x, y, w, h] = shape.box;
  return at[0] >= x && at[0] <= x + w && at[1] >= y && at[1] <= y + h;
}

/** Where a shape is after being moved, as far as the picture goes. @returns {Form} */
export function movedBy(shape, by, size) {
  const [dx, dy] = room(boundsOf(shape), by, size);
  if (shape.points) return { points: shape.points.map(([x, y]) => intoPicture([x + dx, y + dy], size)) };
  const [x, y, w, h] = shape.box;
  return { box: [round(x + dx), round(y + dy), w, h] };
}

/** A form as a project of this kind keeps it: a box is a polygon of its corners there. */
export function formOf(kind, box) {
  return kind === "boxes" ? { box } : { points: corners(box) };
}

/** The id that the next shape has. */
export function nextId(shapes) {
  return 1 + Math.max(0, ...shapes.map((s) => s.id));
}

/**
 * @param {Shape[]} shapes
 * @param {{type: string, [field: string]: any}} edit `add` (form, cls), `reshape` (id, form),
 *   `class` (id, cls), `remove` (id), `clear`, `lock` (id), `accept` (id, or all)
 * @returns {Shape[]} the same list when nothing changed; what is locked stays as it is
 */
export function edited(shapes, edit) {
  const own = (shape, change) => ({ ...shape, score: null, by: /** @type {const} */ ("person"), ...change });
  const one = (change) => {
    let changed = false;
    const out = shapes.map((s) => {
      if (s.id !== edit.id || s.locked) return s;
      changed = true;
      return change(s);
    });
    return changed ? out : shapes;
  };
  switch (edit.type) {
    case "add": {
      const fresh = { id: nextId(shapes), cls: edit.cls, box: null, points: null, locked: false };
      return [...shapes, own(fresh, edit.form)];
    }
    case "reshape":
      return one((s) => own(s, edit.form));
    case "class":
      return one((s) => (s.cls === edit.cls && s.by !== "model" ? s : own(s, { cls: edit.cls })));
    case "remove": {
      const left = shapes.filter((s) => s.id !== edit.id || s.locked);
      return left.length === shapes.length ? shapes : left;
    }
    case "clear": {
      const left = shapes.filter((s) => s.locked);
      return left.length === shapes.length ? shapes : left;
    }
    case "lock":
      return shapes.some((s) => s.id === edit.id)
        ? shapes.map((s) => (s.id === edit.id ? { ...s, locked: !s.locked } : s)) : shapes;
    case "accept": {
      const taken = (s) => s.by === "model" && (edit.id === undefined || s.id === edit.id);
      return shapes.some(taken) ? shapes.map((s) => (taken(s) ? own(s, {}) : s)) : shapes;
    }
    default:
      throw new Error(`unknown edit ${edit.type}`);
  }
}
