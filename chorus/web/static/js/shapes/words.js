/** What is said where shapes are drawn. Pure. */
import { count, score } from "../format.js";
import { _, language, ngettext } from "../i18n.js";
import { boundsOf, tally } from "./shapes.js";

/** Why nothing came of it. @param {string} note of pad.js */
export function noteWords(note) {
  return {
    small: _("Too small to be a shape: drag further."),
    few: _("A polygon has at least three points."),
    least: _("A polygon keeps at least three points. X removes all of it."),
    crosses: _("A polygon may not cross itself."),
    class: _("This project has no classes yet."),
    choose: _("Point at a shape, or choose one first."),
    locked: _("It is locked: L unlocks it."),
    nothing: _("Nothing is drawn here."),
    accepted: _("There is nothing left to accept."),
    points: _("Points of a polygon are moved one by one (U)."),
    many: _("A picture takes no more than 2,000 shapes, and 20,000 points of polygons in all."),
    there: _("There are shapes on this picture. Shift+X deletes them all."),
  }[note] ?? note;
}

/** Where a shape is, for those who do not see it. */
export function placeWords(shape) {
  const [x, y, width, height] = boundsOf(shape).map(Math.round);
  return _("%(width)s × %(height)s at %(x)s, %(y)s", { width, height, x, y });
}

/** @param {import("./shapes.js").Shape} shape */
export function shapeWords(shape) {
  const place = placeWords(shape);
  return `${shape.cls}, ${place}${moreWords(shape, place)}`;
}

/** What is to be said besides its class and what is `shown` of it. */
export function moreWords(shape, shown) {
  const place = placeWords(shape);
  return [
    place === shown ? null : place,
    shape.by === "model" ? originWords(shape) : null,
    shape.locked ? _("locked") : null,
  ].filter(Boolean).map((part) => `, ${part}`).join("");
}

/** Who says so: without a score it is no model's answer, but the one from before a new start. */
function originWords({ score: sure }) {
  return sure === null ? _("earlier label") : _("model %(score)s", { score: score(sure) });
}

/** "12 RBC, 1 WBC"; "nothing there". @param {import("./shapes.js").Shape[]} shapes */
export function tallyWords(shapes) {
  if (!shapes.length) return NOTHING;
  return tally(shapes).map(([cls, n]) => `${count(n)} ${cls}`).join(", ");
}

/** An answer too. */
export const NOTHING = _("Nothing here");

export function countWords(n) {
  return ngettext("%(n)s shape", "%(n)s shapes", n);
}

/**
 * The line above the picture.
 * @param {string} kind of the page, or "correcting" @param {import("./shapes.js").Shape[]} shapes
 * @returns {?[string, string]} title and sentence; null: as for other tasks
 */
export function drawingWords(kind, page, shapes, task) {
  if (kind === "correcting") return null;
  const polygons = task.shapes === "polygons";
  if (kind === "prelabeled") {
    const open = shapes.filter((s) => s.by === "model").length;
    const earlier = open > 0 && shapes.every((s) => s.by !== "model" || s.score === null);
    const look = _("Look for what it missed.");
    if (earlier) return [_("Tasks prelabeled"), _("Shapes from before the project started over. Put right what is wrong, then Enter.")];
    if (!open) return [_("Tasks prelabeled"), `${_("Put right what is wrong, then Enter.")}${gap()}${look}`];
    const found = ngettext("The model has found %(n)s shape.", "The model has found %(n)s shapes.", open);
    return [_("Tasks prelabeled"), [found, _("Put right what is wrong, then Enter."), look].join(gap())];
  }
  if (kind !== "manual") return null;
  return [_("Tasks manual"), polygons
    ? _("Click around each thing of a class; a double click ends. Nothing there: 0.")
    : _("Draw a box around each thing of a class. Nothing there: 0.")];
}

/** Chinese has no space between sentences. */
function gap() {
  return language.startsWith("zh") ? "" : " ";
}
