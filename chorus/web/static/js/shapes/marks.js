/**
 * All shapes at rest, painted in one go: hundreds of nodes of Konva's would cost several times what
 * their lines do, at each step of a zoom.
 *
 * @typedef {{key: any, shape: {box: any, points: any}, color: string, dashed?: boolean, label?: string,
 *   short?: string, faint?: boolean, thin?: boolean, hidden?: boolean, locked?: boolean}} Mark
 *   `short`: instead of a label that is wider than its shape
 */
import { inkOn } from "../format.js";
import { boundsOf } from "./shapes.js";

/** CSS pixels. */
export const LINE = 2;
export const DASH = [6, 4];
const LOCKED = [1, 3];
const THIN = 1.25;
export const NAME_HIGH = 20;
const ROOM_ABOVE = 8;
/** A name on a shape smaller than this would hide it. */
const NAMED = 26;
/** Of very many shapes only the larger ones bear their names. */
const FEW = 80;
const NAMED_OF_MANY = 90;
const NAMES_KEPT = 500;
const FONT = "600 12px system-ui, sans-serif";
const PAD = 3;
const NAME = 12 + 2 * PAD;

/** Would they look the same? @param {Mark[]} a @param {Mark[]} b */
export function alike(a, b) {
  return a.length === b.length && a.every((one, at) => {
    const other = b[at];
    return one.shape === other.shape && one.color === other.color && one.label === other.label
      && one.hidden === other.hidden && one.dashed === other.dashed && one.locked === other.locked
      && one.faint === other.faint && one.thin === other.thin;
  });
}

/** Where a name stands: on its shape; at the picture's upper border it hangs inside. */
export function nameAt([x, y], scale) {
  return [x, y * scale < ROOM_ABOVE ? y + NAME_HIGH / scale : y];
}

/**
 * @param {any} context of a canvas that has the picture's pixels as its own
 * @param {Mark[]} marks
 * @param {import("./view.js").View} view @param {import("./geometry.js").Size} room what is outside of it is left out
 * @param {number} density device pixels for a CSS pixel
 */
export function paint(context, marks, view, room, density) {
  const { scale } = view;
  const margin = (NAME_HIGH + LINE) / scale;
  const [left, top] = [-view.x / scale, -view.y / scale];
  const [right, bottom] = [left + room.width / scale, top + room.height / scale];
  const named = (marks.length > FEW ? NAMED_OF_MANY : NAMED) / scale;
  const names = [];
  for (const mark of marks) {
    if (mark.hidden) continue;
    const [x, y, w, h] = boundsOf(mark.shape);
    if (x > right + margin || y > bottom + margin || x + w < left - margin || y + h < top - margin) continue;
    draw(context, mark, scale);
    if (mark.label && Math.max(w, h) >= named) names.push(mark);
  }
  context.globalAlpha = 1;
  for (const { label, short, color, shape } of names) {
    const bounds = boundsOf(shape);
    const whole = nameOf(label, color, density);
    const name = short && whole.width / density > bounds[2] * scale ? nameOf(short, color, density) : whole;
    const [x, y] = nameAt(bounds, scale);
    const [wide, high] = [name.width / density / scale, name.height / density / scale];
    context.drawImage(name, x - 1 / scale, y - high - 1 / scale, wide, high);
  }
}

function draw(context, { shape, color, dashed, locked, thin, faint }, scale) {
  context.strokeStyle = color;
  context.lineWidth = (thin ? THIN : LINE) / scale;
  context.lineCap = locked ? "round" : "butt";
  context.globalAlpha = faint ? 0.85 : 1;
  context.setLineDash((dashed ? DASH : locked ? LOCKED : []).map((length) => length / scale));
  if (shape.box) {
    context.strokeRect(...shape.box);
    return;
  }
  context.beginPath();
  shape.points.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.stroke();
}

/** Names as pictures: to set letters anew for each frame is slow. @type {Map<string, HTMLCanvasElement>} */
const names = new Map();

function nameOf(words, color, density) {
  const key = `${density} ${color} ${words}`;
  const known = names.get(key);
  if (known) return known;
  if (names.size >= NAMES_KEPT) names.clear();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.font = FONT;
  canvas.width = Math.ceil((context.measureText(words).width + 2 * PAD) * density);
  canvas.height = Math.ceil(NAME * density);
  context.scale(density, density);
  context.fillStyle = color;
  context.beginPath();
  context.roundRect(0, 0, canvas.width / density, canvas.height / density, 3);
  context.fill();
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = inkOn(color);
  context.fillText(words, PAD, NAME / 2);
  names.set(key, canvas);
  return canvas;
}
