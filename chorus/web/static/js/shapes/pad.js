/**
 * The hand that draws: tools, pointer and keys, as a pure state machine. What they do to the shapes
 * comes out as edits (see shapes.js); the list itself is kept, undone and redone by the page's state.
 *
 * @typedef {import("./shapes.js").Shape} Shape
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {"draw"|"move"|"template"|"polygon"|"points"} Tool
 * @typedef {{kind: "boxes"|"polygons", size: import("./geometry.js").Size, tool: Tool, cls: ?string,
 *   selected: ?number, hover: ?import("./hits.js").Hit, at: ?Point, gesture: ?Gesture,
 *   outline: Point[], last: ?[number, number], own: boolean, alone: boolean}} Pad
 *   `cls` for what is drawn next; `hover` what the pointer was moved to; `at` where it is; `outline`
 *   the polygon being drawn; `last` size of the last box; `own`: the template has that size and not
 *   50 × 50; `alone`: the others are hidden
 * @typedef {{type: "draw"|"resize"|"move"|"point"|"pan"|"press", from: Point, moved: boolean,
 *   id?: number, handle?: string, index?: number, added?: boolean, form?: ?import("./shapes.js").Form}} Gesture
 *   `form`: where the shape would be if the pointer were let go now
 * @typedef {{pad: Pad, edit?: object, note?: string}} Step `note`: why nothing came of it
 */
import { LEAST, boxAround, boxBetween, faultOf, intoPicture, resized, round } from "./geometry.js";
import { hitAt } from "./hits.js";
import { boundsOf, fits, formOf, movedBy, nextId } from "./shapes.js";

/** Pixels of the picture: the template as long as no box was drawn. */
export const TEMPLATE = 50;

/** @param {"boxes"|"polygons"} kind @returns {Pad} */
export function padOf(kind, size, cls = null) {
  return {
    kind, size, cls, tool: kind === "boxes" ? "draw" : "polygon", selected: null, hover: null, at: null,
    gesture: null, outline: [], last: null, own: true, alone: false,
  };
}

/** The same hand on another picture. @param {Pad} pad @param {Tool} [tool] */
export function turned(pad, size, tool = pad.tool) {
  return { ...pad, size, tool, selected: null, hover: null, gesture: null, outline: [], alone: false };
}

/** Do keys and the pointer act on what they point at? Elsewhere only on what was chosen. */
function points(pad) {
  return pad.tool === "move" || pad.tool === "points";
}

/** The shape that keys are about: the one pointed at where that counts, else the chosen one. */
export function targetOf(pad) {
  return (points(pad) ? pad.hover?.id : undefined) ?? pad.selected;
}

/** Those that are to be seen. @param {Pad} pad @param {Shape[]} shapes */
export function seen(pad, shapes) {
  return pad.alone ? shapes.filter((s) => s.id === pad.selected) : shapes;
}

/** Where a template would be put now. @returns {import("./geometry.js").Box} */
export function templateOf(pad, middle) {
  const side = /** @type {[number, number]} */ ([TEMPLATE, TEMPLATE]);
  return boxAround(middle, pad.own && pad.last ? pad.last : side, pad.size);
}

/**
 * @param {Pad} pad @param {Shape[]} shapes
 * @param {{type: string, [field: string]: any}} event points in the picture's pixels. Of the pointer:
 *   `down`, `move`, `up` (at, near: how far it may be off, slop: what is no drag yet), `double`,
 *   `leave`, `cancel`. Of keys and buttons: `tool`, `class`, `remove`, `clear`, `copy`, `lock`,
 *   `alone`, `accept`, `nudge` (by), `grow` (by), `choose` (id or null), `step` (by), `place`
 *   (middle), `finish`, `back`, `escape`
 * @returns {Step}
 */
export function step(pad, shapes, event) {
  const done = pointerStep(pad, shapes, event) ?? keyStep(pad, shapes, event);
  if (!done) throw new Error(`unknown event ${event.type}`);
  return done;
}

/** The shape chosen is one that there is: after an undo, or when others were removed. */
export function settled(pad, shapes) {
  const there = (id) => shapes.some((s) => s.id === id);
  const selected = there(pad.selected) ? pad.selected : null;
  const hover = pad.hover && there(pad.hover.id) ? pad.hover : null;
  const gesture = pad.gesture?.id === undefined || there(pad.gesture.id) ? pad.gesture : null;
  const alone = pad.alone && selected !== null;
  if (selected === pad.selected && hover === pad.hover && gesture === pad.gesture && alone === pad.alone) return pad;
  return { ...pad, selected, hover, gesture, alone };
}

// -- the pointer

function pointerStep(pad, shapes, event) {
  switch (event.type) {
    case "down":
      return down(pad, shapes, event);
    case "move":
      return move(pad, shapes, event);
    case "up":
      return up(pad, shapes, event);
    case "double":
      return pad.tool === "polygon" ? finish(pad, shapes) : { pad };
    case "leave":
      return { pad: { ...pad, at: null, hover: null } };
    case "cancel":
      return { pad: { ...pad, gesture: null } };
    default:
      return null;
  }
}

function find(pad, shapes, { at, near }) {
  return hitAt(seen(pad, shapes), at, near, pad.selected);
}

function down(pad, shapes, event) {
  const { at } = event;
  const start = (gesture, more = {}) => ({ pad: { ...pad, at, ...more, gesture: { from: at, moved: false, ...gesture } } });
  const hit = find(pad, shapes, event);
  switch (pad.tool) {
    case "template":
      return start({ type: "press" });
    case "polygon":
      return start({ type: "press" });
    case "draw": {
      // The box just drawn can be put right without another tool.
      const own = hit && hit.id === pad.selected && hit.part === "handle" ? hit : null;
      return own ? start({ type: "resize", id: own.id, handle: own.handle }) : start({ type: "draw" });
    }
    case "points":
      if (hit?.part === "point") return start({ type: "point", id: hit.id, index: hit.index }, { selected: hit.id });
      if (hit?.part === "edge") return start({ type: "point", id: hit.id, index: hit.index + 1, added: true }, { selected: hit.id });
      return start({ type: hit ? "press" : "pan" }, { selected: hit?.id ?? null });
    default: {
      if (!hit) return start({ type: "pan" });
      const { id, part, handle, index } = hit;
      const shape = shapes.find((s) => s.id === id);
      if (shape.locked) return start({ type: "press" }, { selected: id });
      if (part === "handle") return start({ type: "resize", id, handle }, { selected: id });
      if (part === "point") return start({ type: "point", id, index }, { selected: id });
      return start({ type: "move", id }, { selected: id });
    }
  }
}

function move(pad, shapes, event) {
  const { at, slop = 0 } = event;
  const { gesture } = pad;
  if (!gesture) {
    const hover = points(pad) ? find(pad, shapes, event) : pad.selected === null ? null : grip(pad, shapes, event);
    return { pad: { ...pad, at, hover } };
  }
  const far = Math.hypot(at[0] - gesture.from[0], at[1] - gesture.from[1]);
  const moved = gesture.moved || far > slop;
  return { pad: { ...pad, at, gesture: { ...gesture, moved, form: moved ? formAt(pad, shapes, gesture, at) : null } } };
}

/** While drawing only the handles of the chosen box answer. */
function grip(pad, shapes, event) {
  const hit = find(pad, shapes, event);
  return hit && hit.id === pad.selected && hit.part === "handle" ? hit : null;
}

function formAt(pad, shapes, gesture, at) {
  const shape = shapes.find((s) => s.id === gesture.id);
  switch (gesture.type) {
    case "draw": {
      const box = boxBetween(gesture.from, at, pad.size);
      return box && formOf(pad.kind, box);
    }
    case "resize":
      return shape ? { box: resized(shape.box, gesture.handle, at, pad.size) } : null;
    case "move":
      return shape ? movedBy(shape, [at[0] - gesture.from[0], at[1] - gesture.from[1]], pad.size) : null;
    case "point": {
      if (!shape) return null;
      const points = [...shape.points];
      points.splice(gesture.index, gesture.added ? 0 : 1, intoPicture(at, pad.size));
      return { points };
    }
    default:
      return null;
  }
}

function up(pad, shapes, event) {
  const { gesture } = pad;
  if (!gesture) return { pad };
  const at = event.at ?? pad.at ?? gesture.from;
  const idle = { ...pad, at, gesture: null };
  const moved = move(pad, shapes, { ...event, at }).pad.gesture;
  if (!moved.moved) return click(idle, shapes, { ...event, at }, gesture);
  const { form } = moved;
  switch (gesture.type) {
    case "draw":
      return form ? added(idle, shapes, form) : { pad: idle, note: "small" };
    case "resize":
    case "move":
      return form ? reshaped(idle, gesture.id, form) : { pad: idle };
    case "point": {
      if (!form) return { pad: idle };
      const others = shapes.filter((s) => s.id !== gesture.id);
      const fault = gesture.added && !fits([...others, form]) ? "many" : faultOf(form.points);
      return fault ? { pad: idle, note: fault } : reshaped(idle, gesture.id, form);
    }
    case "press":
      // A finger that slips a little still means the place.
      return pad.tool === "polygon" || pad.tool === "template" ? click(idle, shapes, { ...event, at }, gesture) : { pad: idle };
    default:
      return { pad: idle };
  }
}

/** Let go where it was pressed. */
function click(pad, shapes, event, gesture) {
  const { at } = event;
  if (pad.tool === "template") return added(pad, shapes, formOf(pad.kind, templateOf(pad, at)));
  if (pad.tool === "polygon") return point(pad, shapes, event);
  if (pad.tool === "points" && gesture.type === "point") return pointClicked(pad, shapes, gesture);
  const hit = find(pad, shapes, event);
  return { pad: { ...pad, selected: hit?.id ?? null } };
}

/** U: a click on a point takes it away, one on a side puts a point there. */
function pointClicked(pad, shapes, { id, index, added: fresh, from }) {
  const shape = shapes.find((s) => s.id === id);
  if (!shape) return { pad };
  const points = [...shape.points];
  if (fresh) points.splice(index, 0, intoPicture(from, pad.size));
  else points.splice(index, 1);
  // A point on a side changes nothing yet: it can be dragged next.
  const fault = fresh ? null : faultOf(points);
  return fault ? { pad, note: fault === "few" ? "least" : fault } : reshaped(pad, id, { points });
}

/** One more point of the outline; the first one again ends it. */
function point(pad, shapes, { at, near = 0 }) {
  const next = intoPicture(at, pad.size);
  const apart = (other) => Math.hypot(other[0] - at[0], other[1] - at[1]);
  const { outline } = pad;
  if (outline.length >= 3 && apart(outline[0]) <= near) return finish(pad, shapes);
  const end = outline.at(-1);
  // The second click of a double click is no other point.
  if (end && apart(end) <= near / 2) return { pad };
  return { pad: { ...pad, outline: [...outline, next] } };
}

function finish(pad, shapes) {
  if (!pad.outline.length) return { pad };
  const fault = fits([...shapes, { points: pad.outline }]) ? faultOf(pad.outline) : "many";
  if (fault) return { pad, note: fault };
  return added({ ...pad, outline: [] }, shapes, { points: pad.outline });
}

function added(pad, shapes, form) {
  if (pad.cls === null) return { pad, note: "class" };
  const [, , w, h] = boundsOf({ box: null, points: null, ...form });
  // What the picture is too small for.
  if (w < LEAST || h < LEAST) return { pad, note: "small" };
  if (!fits([...shapes, form])) return { pad, note: "many" };
  const next = { ...pad, selected: nextId(shapes), hover: null, last: /** @type {[number, number]} */ ([w, h]) };
  return { pad: next, edit: { type: "add", form, cls: pad.cls } };
}

function reshaped(pad, id, form) {
  const last = form.box ? [form.box[2], form.box[3]] : pad.last;
  return { pad: { ...pad, selected: id, last }, edit: { type: "reshape", id, form } };
}

// -- keys and buttons

function keyStep(pad, shapes, event) {
  const id = targetOf(pad);
  const shape = shapes.find((s) => s.id === id);
  /** Something done to the target, if there is one that lets it be done. */
  const act = (edit, next = pad) => {
    if (!shape) return { pad, note: "choose" };
    return shape.locked && edit.type !== "lock" ? { pad, note: "locked" } : { pad: next, edit };
  };
  switch (event.type) {
    case "tool":
      return { pad: toolChosen(pad, event.tool) };
    case "class": {
      const next = { ...pad, cls: event.cls };
      return shape && !shape.locked ? { pad: next, edit: { type: "class", id, cls: event.cls } } : { pad: next };
    }
    case "remove":
      if (pad.outline.length) return { pad: { ...pad, outline: pad.outline.slice(0, -1) } };
      if (pad.tool === "points" && pad.hover?.part === "point" && shape && !shape.locked) {
        return pointClicked(pad, shapes, { id, index: pad.hover.index, from: pad.at });
      }
      return act({ type: "remove", id }, { ...pad, selected: null, hover: null, gesture: null });
    case "clear":
      return shapes.some((s) => !s.locked)
        ? { pad: { ...pad, selected: null, hover: null, gesture: null, outline: [] }, edit: { type: "clear" } }
        : { pad: { ...pad, outline: [] }, note: shapes.length ? "locked" : "nothing" };
    case "copy":
      return copied(pad, shapes, shape ?? shapes.at(-1));
    case "lock":
      return act({ type: "lock", id });
    case "alone":
      return shape || pad.alone ? { pad: { ...pad, alone: !pad.alone, selected: id ?? null } } : { pad, note: "choose" };
    case "accept":
      return shapes.some((s) => s.by === "model") ? { pad, edit: { type: "accept" } } : { pad, note: "accepted" };
    case "nudge":
      return act({ type: "reshape", id, form: shape && movedBy(shape, event.by, pad.size), merge: `nudge ${id}` });
    case "grow":
      return shape?.points ? { pad, note: "points" }
        : act({ type: "reshape", id, form: shape && { box: grown(shape.box, event.by, pad.size) }, merge: `grow ${id}` });
    case "choose":
      return { pad: { ...pad, selected: event.id, hover: null } };
    case "step":
      return { pad: stepped(pad, seen({ ...pad, alone: false }, shapes), event.by) };
    case "place":
      return pad.tool === "template"
        ? added(pad, shapes, formOf(pad.kind, templateOf(pad, pad.at ?? event.middle))) : { pad };
    case "finish":
      return finish(pad, shapes);
    case "back":
      return { pad: { ...pad, outline: pad.outline.slice(0, -1) } };
    case "escape":
      return { pad: escaped(pad) };
    default:
      return null;
  }
}

function toolChosen(pad, tool) {
  // T again: from the last size to 50 × 50 and back.
  if (tool === "template" && pad.tool === tool) return { ...pad, own: !pad.own };
  const polygons = tool === "polygon" || tool === "points";
  if (polygons && pad.kind === "boxes") return pad;
  // What was pointed at stays the one that the new tool is about.
  return { ...pad, tool, selected: targetOf(pad), hover: null, gesture: null, outline: tool === "polygon" ? pad.outline : [] };
}

function grown([x, y, w, h], [dw, dh], size) {
  const wide = Math.max(LEAST, Math.min(size.width - x, w + dw));
  const high = Math.max(LEAST, Math.min(size.height - y, h + dh));
  return [x, y, round(wide), round(high)];
}

/** Another one like it: at the pointer while drawing, else a little aside. */
function copied(pad, shapes, shape) {
  if (!shape) return { pad, note: "nothing" };
  const [x, y, w, h] = boundsOf(shape);
  const aside = (from, length, most) => (from + length + COPY_ASIDE <= most ? COPY_ASIDE : -COPY_ASIDE);
  const free = pad.at && !points(pad);
  const by = free ? [pad.at[0] - x - w / 2, pad.at[1] - y - h / 2]
    : [aside(x, w, pad.size.width), aside(y, h, pad.size.height)];
  return added({ ...pad, cls: shape.cls }, shapes, movedBy(shape, /** @type {Point} */ (by), pad.size));
}

const COPY_ASIDE = 10;

/** The next or the previous one, by where they are: top to bottom, left to right. */
function stepped(pad, shapes, by) {
  if (!shapes.length) return pad;
  const order = inReadingOrder(shapes).map((s) => s.id);
  const at = order.indexOf(pad.selected);
  const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length;
  return { ...pad, selected: order[next], hover: null };
}

/** @param {Shape[]} shapes */
export function inReadingOrder(shapes) {
  return [...shapes].sort((a, b) => boundsOf(a)[1] - boundsOf(b)[1] || boundsOf(a)[0] - boundsOf(b)[0]);
}

/** One thing after the other is let go: a gesture, an outline, what is hidden, what is chosen. */
function escaped(pad) {
  if (pad.gesture) return { ...pad, gesture: null };
  if (pad.outline.length) return { ...pad, outline: [] };
  if (pad.alone) return { ...pad, alone: false };
  return { ...pad, selected: null, hover: null };
}

/** Is there nothing left that Escape would let go? */
export function atRest(pad) {
  return !pad.gesture && !pad.outline.length && !pad.alone && pad.selected === null;
}
