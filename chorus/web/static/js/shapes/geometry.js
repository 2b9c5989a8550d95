/**
 * Boxes and polygons in the pixels of an upright picture, origin top left. Pure: what comes out is
 * always inside the picture, finite and at least `LEAST` pixels wide and high.
 *
 * @typedef {[number, number]} Point
 * @typedef {[number, number, number, number]} Box x, y, width, height
 * @typedef {{width: number, height: number}} Size
 */

/** Pixels: nothing smaller is a shape (the server says the same). */
export const LEAST = 2;

/** Which sides of a box each of its handles moves. */
const HANDLES = {
  nw: [-1, -1], n: [0, -1], ne: [1, -1], e: [1, 0], se: [1, 1], s: [0, 1], sw: [-1, 1], w: [-1, 0],
};

/** As the server keeps it: a hundredth of a pixel. */
export function round(value) {
  return Math.round(value * 100) / 100;
}

/** @param {Point} point @param {Size} size @returns {Point} the nearest point of the picture */
export function intoPicture([x, y], { width, height }) {
  return [round(Math.max(0, Math.min(width, x))), round(Math.max(0, Math.min(height, y)))];
}

/**
 * The box between two corners, cut at the picture's border; null: too small to be one.
 * @param {Point} a @param {Point} b @param {Size} size @returns {?Box}
 */
export function boxBetween(a, b, size) {
  const [ax, ay] = intoPicture(a, size);
  const [bx, by] = intoPicture(b, size);
  const box = /** @type {Box} */ ([
    Math.min(ax, bx), Math.min(ay, by), round(Math.abs(bx - ax)), round(Math.abs(by - ay)),
  ]);
  return box[2] >= LEAST && box[3] >= LEAST ? box : null;
}

/**
 * A box of this size around a point, moved into the picture and made smaller where that is smaller.
 * @param {Point} middle @param {[number, number]} wanted width and height @param {Size} size
 * @returns {Box}
 */
export function boxAround([x, y], [w, h], { width, height }) {
  const wide = Math.max(Math.min(LEAST, width), Math.min(w, width));
  const high = Math.max(Math.min(LEAST, height), Math.min(h, height));
  const at = (middle, length, most) => round(Math.max(0, Math.min(most - length, middle - length / 2)));
  return [at(x, wide, width), at(y, high, height), round(wide), round(high)];
}

/**
 * A box with one handle dragged to a point: past the opposite side it turns over, and it never
 * becomes smaller than `LEAST`.
 * @param {Box} box @param {keyof typeof HANDLES} handle @param {Point} to @param {Size} size
 * @returns {Box}
 */
export function resized([x, y, w, h], handle, to, size) {
  const [px, py] = intoPicture(to, size);
  const [sx, sy] = HANDLES[handle];
  const [left, wide] = sx ? span(sx > 0 ? x : x + w, px, size.width) : [x, w];
  const [top, high] = sy ? span(sy > 0 ? y : y + h, py, size.height) : [y, h];
  return [left, top, wide, high];
}

/** From a side that stays to one that is dragged: where it begins and how long it is. */
function span(fixed, dragged, most) {
  let from = Math.min(fixed, dragged);
  let to = Math.max(fixed, dragged);
  if (to - from < LEAST) {
    if (dragged >= fixed) to = from + LEAST;
    else from = to - LEAST;
    if (to > most) [from, to] = [most - LEAST, most];
    if (from < 0) [from, to] = [0, LEAST];
  }
  return [round(from), round(to - from)];
}

/** The corners of a box, clockwise. @param {Box} box @returns {Point[]} */
export function corners([x, y, w, h]) {
  return [[x, y], [round(x + w), y], [round(x + w), round(y + h)], [x, round(y + h)]];
}

/** The smallest box around points. @param {Point[]} points @returns {Box} */
export function around(points) {
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return [x, y, round(Math.max(...xs) - x), round(Math.max(...ys) - y)];
}

/** Twice the signed area of a triangle: on which side of a → b is c? */
function side(a, b, c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function on(a, b, p) {
  return Math.min(a[0], b[0]) <= p[0] && p[0] <= Math.max(a[0], b[0])
    && Math.min(a[1], b[1]) <= p[1] && p[1] <= Math.max(a[1], b[1]);
}

function meet(a, b, c, d) {
  const [s1, s2, s3, s4] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  if (s1 * s2 < 0 && s3 * s4 < 0) return true;
  return (s1 === 0 && on(a, b, c)) || (s2 === 0 && on(a, b, d)) || (s3 === 0 && on(c, d, a))
    || (s4 === 0 && on(c, d, b));
}

/**
 * What keeps points from being a polygon: "few" (under three), "small", "crosses" (its outline
 * meets itself); null: nothing does.
 * @param {Point[]} points
 */
export function faultOf(points) {
  if (points.length < 3) return "few";
  const [, , w, h] = around(points);
  if (w < LEAST || h < LEAST) return "small";
  const n = points.length;
  let twice = 0;
  for (let i = 0; i < n; i++) {
    const [a, b] = [points[i], points[(i + 1) % n]];
    twice += a[0] * b[1] - b[0] * a[1];
    if (a[0] === b[0] && a[1] === b[1]) return "crosses";
    for (let j = i + 1; j < n; j++) {
      const [c, d] = [points[j], points[(j + 1) % n]];
      if (j === i + 1 || (j + 1) % n === i) {
        // Neighbours share a point; beyond it they may not lie on each other.
        const [tip, one, other] = j === i + 1 ? [b, a, d] : [a, b, c];
        if (n > 2 && side(tip, one, other) === 0
          && (one[0] - tip[0]) * (other[0] - tip[0]) + (one[1] - tip[1]) * (other[1] - tip[1]) > 0) return "crosses";
      } else if (meet(a, b, c, d)) return "crosses";
    }
  }
  return twice === 0 ? "small" : null;
}

/** Is a point inside? @param {Point[]} points @param {Point} at */
export function inside(points, [x, y]) {
  let odd = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [points[i], points[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

/** How far a point is from a line between two. */
export function distanceTo(a, b, [x, y]) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const t = length ? Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / length)) : 0;
  return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}

/** How far something at `box` can be moved without leaving the picture. @returns {Point} */
export function room([x, y, w, h], [dx, dy], { width, height }) {
  return [Math.max(-x, Math.min(width - x - w, dx)), Math.max(-y, Math.min(height - y - h, dy))];
}
