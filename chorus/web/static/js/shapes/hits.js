/** What is under the pointer. Pure; all in the picture's pixels. */
import { distanceTo } from "./geometry.js";
import { boundsOf, covers } from "./shapes.js";

/**
 * @typedef {import("./shapes.js").Shape} Shape
 * @typedef {{id: number, part: "body"|"handle"|"point"|"edge", handle?: string, index?: number}} Hit
 *   `handle` of a box; `index` of a polygon's point, or of the point after which its edge begins
 */

/**
 * The handle of a box near a point: a corner before a side; null: none. A box that is small on the
 * screen keeps its middle third to be moved by.
 * @param {import("./geometry.js").Box} box @param {import("./geometry.js").Point} at
 * @param {number} near how far the pointer may be off
 * @returns {?string}
 */
function handleAt([x, y, w, h], [px, py], near) {
  const place = (from, length, p) => {
    const within = Math.min(near, length / 3);
    if (p < from - near || p > from + length + near) return null;
    if (p <= from + within) return -1;
    return p >= from + length - within ? 1 : 0;
  };
  const [column, row] = [place(x, w, px), place(y, h, py)];
  if (column === null || row === null || (!column && !row)) return null;
  return `${{ "-1": "n", 0: "", 1: "s" }[row]}${{ "-1": "w", 0: "", 1: "e" }[column]}`;
}

/**
 * What of this shape is at a point. @param {Shape} shape @returns {?Hit}
 */
function partAt(shape, at, near) {
  const { id } = shape;
  if (shape.box) {
    const handle = shape.locked ? null : handleAt(shape.box, at, near);
    if (handle) return { id, part: "handle", handle };
    return covers(shape, at) ? { id, part: "body" } : null;
  }
  if (!shape.locked) {
    const ends = shape.points.map((p) => Math.hypot(p[0] - at[0], p[1] - at[1]));
    const index = ends.indexOf(Math.min(...ends));
    if (ends[index] <= near) return { id, part: "point", index };
    const sides = shape.points.map((p, i) => distanceTo(p, shape.points[(i + 1) % shape.points.length], at));
    const edge = sides.indexOf(Math.min(...sides));
    if (sides[edge] <= near / 2) return { id, part: "edge", index: edge };
  }
  return covers(shape, at) ? { id, part: "body" } : null;
}

/**
 * What is hit: the shape `first` before all others; then the smallest, since what lies inside of
 * another could not be reached otherwise.
 * @param {Shape[]} shapes those that are to be seen
 * @param {?number} first its id
 * @returns {?Hit}
 */
export function hitAt(shapes, at, near, first = null) {
  const held = shapes.find((s) => s.id === first);
  const hit = held && partAt(held, at, near);
  if (hit && hit.part !== "body") return hit;
  let best = null;
  let least = Infinity;
  for (const shape of shapes) {
    const [x, y, w, h] = boundsOf(shape);
    if (at[0] < x - near || at[1] < y - near || at[0] > x + w + near || at[1] > y + h + near) continue;
    const found = partAt(shape, at, near);
    if (found && w * h < least) {
      best = found;
      least = w * h;
    }
  }
  return best;
}
