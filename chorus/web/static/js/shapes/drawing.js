/**
 * One picture to draw on: canvas, tools, list of shapes. What is drawn is kept by whoever uses it: a
 * change comes out as `on.draw`, and comes back by `show`.
 */
import { $, icon, setText } from "../dom.js";
import { score } from "../format.js";
import { _ } from "../i18n.js";
import { Light } from "../light.js";
import { SHAPE_ICONS } from "./icons.js";
import { ShapeList } from "./list.js";
import { atRest, padOf, seen, settled, step, targetOf, templateOf, turned } from "./pad.js";
import { boundsOf, edited, formOf, outlineOf } from "./shapes.js";
import { Stage } from "./stage.js";
import { countWords, noteWords, shapeWords } from "./words.js";

const ZOOM_STEP = 1.25;
const PAN_STEP = 60;
/** CSS pixels. */
const CORNERS_FROM = 18;
const SIDES_FROM = 44;
const WELL = { draw: 1, template: 1, polygon: 1 };
const CURSORS = { nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw", n: "ns", s: "ns", e: "ew", w: "ew" };

export class Drawing {
  /**
   * @param {HTMLElement} root of _drawing.html
   * @param {?HTMLElement} list where the shapes are listed
   * @param {{kind: "boxes"|"polygons", classes: () => string[], colors: (name: string) => Record<string, string>,
   *   draw: (shapes: import("./shapes.js").Shape[], merge: ?string) => void, note: (text: string) => void,
   *   changed: () => void, more?: Record<string, () => void>}} on `changed`: what is chosen is
   *   another one; `more`: what buttons of the page's own among the tools do
   */
  constructor(root, list, on) {
    this._root = root;
    this._on = on;
    this._key = "";
    this.shapes = [];
    this._fixed = true;
    this._ghosts = [];
    /** @type {Map<number, string>} */
    this._notes = new Map();
    this._guides = false;
    /** @type {?string} what of the shapes was hidden when they were painted last; null: paint them */
    this._hidden = null;
    this._tools = [...root.querySelectorAll("[data-do]")];
    this._said = $(".drawing-said", root);
    this.pad = padOf(on.kind, { width: 1, height: 1 });
    /** The tool that one last drew with, for the next empty picture. */
    this._tool = this.pad.tool;
    this.stage = new Stage($(".drawing-canvas", root), {
      pointer: (event, by) => this._pointer(event, by),
      view: () => this._paintSoon(),
    });
    this.list = list && new ShapeList(list, {
      choose: (id) => this._choose(id),
      remove: (id) => {
        this.do({ type: "choose", id });
        this.do({ type: "remove" });
      },
    });
    this._buttons(on.more ?? {});
    this._lights();
    addEventListener("keyup", (e) => {
      if (e.key === " ") this._grab(false);
    });
    addEventListener("blur", () => this._grab(false));
  }

  // -- what is there

  /**
   * @param {any} item a picture @param {string} key another one: begin anew
   * @param {import("./shapes.js").Shape[]} shapes
   * @param {{fixed?: boolean, ghosts?: object[], notes?: Map<number, string>}} [how] `fixed`: only to
   *   look at; `ghosts`: marks of others below the shapes, see Stage.marks; `notes`: what else is
   *   said of a shape, by its id
   */
  show(item, key, shapes, { fixed = false, ghosts = [], notes = new Map() } = {}) {
    const size = { width: item.width, height: item.height };
    if (key !== this._key) {
      this._key = key;
      this.pad = turned(this.pad, size, shapes.length ? "move" : this._tool);
      this._root.querySelector(".drawing").dataset.name = item.name;
      this.stage.picture({ ...item, tiles: tilesOf(item) }, key);
      this._said.textContent = "";
    }
    const names = this._on.classes();
    if (!names.includes(this.pad.cls)) this.pad = { ...this.pad, cls: names[0] ?? null };
    this.shapes = shapes;
    this._fixed = fixed;
    this._ghosts = ghosts;
    this._notes = notes;
    this._hidden = null;
    this.pad = settled(fixed ? { ...this.pad, tool: "move" } : this.pad, shapes);
    this._root.dataset.fixed = String(fixed);
    this._paint();
  }

  /** The shape that keys are about. @returns {?import("./shapes.js").Shape} */
  get target() {
    const id = targetOf(this.pad);
    return this.shapes.find((s) => s.id === id) ?? null;
  }

  /** The class that a key would give, or has given. */
  get cls() {
    return this.target?.cls ?? this.pad.cls;
  }

  /** Is a polygon begun and not ended? */
  get open() {
    return this.pad.outline.length > 0;
  }

  /** Is there nothing that Escape would let go? */
  get atRest() {
    return atRest(this.pad);
  }

  focus() {
    this._root.querySelector(".drawing-canvas").focus({ preventScroll: true });
  }

  // -- what is done

  /** @param {object} event of pad.js @returns {boolean} whether something was drawn or changed */
  do(event) {
    const before = targetOf(this.pad);
    // What is only to be looked at is as if all of it were locked.
    const shapes = this._fixed ? this.shapes.map((s) => ({ ...s, locked: true })) : this.shapes;
    const done = step(this.pad, shapes, event);
    this.pad = done.pad;
    if (event.type === "tool" && WELL[this.pad.tool]) this._tool = this.pad.tool;
    if (done.note && !this._fixed) this._on.note(noteWords(done.note));
    let drawn = false;
    if (done.edit && !this._fixed) {
      const next = edited(this.shapes, done.edit);
      drawn = next !== this.shapes;
      if (drawn) {
        this._tell(done.edit, this.shapes, next);
        this._on.draw(next, done.edit.merge ?? null);
      }
    }
    // A moving pointer is followed once a frame.
    if (event.type === "move") this._paintSoon();
    else if (!drawn) this._paint();
    if (targetOf(this.pad) !== before) this._on.changed();
    return drawn;
  }

  /** What a screen reader says of it. */
  _tell(edit, before, after) {
    const of = (list) => list.find((s) => s.id === edit.id) ?? after.at(-1);
    const words = {
      add: () => _("Drawn: %(what)s", { what: shapeWords(after.at(-1)) }),
      remove: () => _("Deleted: %(what)s", { what: shapeWords(of(before)) }),
      clear: () => _("All deleted"),
      accept: () => _("All accepted"),
    }[edit.type] ?? (() => shapeWords(of(after)));
    setText(this._said, [words(), countWords(after.length)].join(". "));
  }

  _choose(id) {
    this.do({ type: "choose", id });
    if (this.target) this.stage.reveal(this.target);
  }

  /** Intents of keys.js that are about the picture; true: it was one. */
  run(intent) {
    switch (intent.type) {
      case "pad":
        this.do(intent.event);
        if (intent.event.type === "step" && this.target) {
          this.stage.reveal(this.target);
          setText(this._said, shapeWords(this.target));
        }
        return true;
      case "nudge":
        if (this.target) this.do({ type: "nudge", by: intent.by });
        else this.stage.pan(intent.by.map((v) => -Math.sign(v) * PAN_STEP));
        return true;
      case "grow":
        this.do({ type: "grow", by: intent.by });
        return true;
      case "place":
        if (this.pad.tool === "template") this.do({ type: "place", middle: this.stage.middle });
        else this._grab(true);
        return true;
      case "zoom":
        this.stage.enlarge(intent.by > 0 ? ZOOM_STEP : 1 / ZOOM_STEP);
        return true;
      case "fit":
        this.stage.toggle();
        return true;
      case "guides":
        this._guides = !this._guides;
        this._paint();
        return true;
      case "light": {
        const light = $(".drawing-light", this._root);
        light.open = !light.open;
        if (light.open) $("input", light).focus();
        return true;
      }
      default:
        return false;
    }
  }

  _grab(on) {
    if (this.stage.grabbing === on) return;
    this.stage.grabbing = on;
    this._paint();
  }

  _pointer(event, by) {
    if (event.type === "down") this.focus();
    this.do(event);
    if (event.type === "move" && this.pad.gesture?.type === "pan") this.stage.pan(by);
  }

  // -- painting

  _paintSoon() {
    if (this._due) return;
    this._due = requestAnimationFrame(() => this._paint());
  }

  _paint() {
    cancelAnimationFrame(this._due);
    this._due = 0;
    const { pad, shapes } = this;
    const color = (name) => this._on.colors(name).c;
    const target = this.target;
    this._paintMarks(color);
    this._paintDoing(color, target && seen(pad, [target]).length ? target : null);
    this.list?.render(shapes, target?.id ?? null, this._on.colors, countWords(shapes.length), this._notes, pad.selected === target?.id);
    this._paintTools(target);
  }

  /** Those at rest: pointing at them changes nothing about them. */
  _paintMarks(color) {
    const { pad, shapes } = this;
    const held = pad.gesture?.form ? pad.gesture.id : undefined;
    const hidden = `${held} ${pad.alone && pad.selected}`;
    if (hidden === this._hidden) return;
    this._hidden = hidden;
    const there = new Set(seen(pad, shapes).map((s) => s.id));
    this.stage.marks([...this._ghosts, ...shapes.map((shape) => ({
      key: shape.id, shape, color: color(shape.cls), dashed: shape.by === "model", locked: shape.locked,
      hidden: !there.has(shape.id) || shape.id === held,
      ...(shape.by === "model" ? { label: this._label(shape), short: this._notes.get(shape.id) ?? shape.cls } : {}),
    }))]);
  }

  _label(shape) {
    const more = this._notes.get(shape.id) ?? (shape.score === null ? "" : score(shape.score));
    return more ? `${shape.cls} ${more}` : shape.cls;
  }

  _paintDoing(color, target) {
    const { pad } = this;
    const form = pad.gesture?.form ?? null;
    const own = this.shapes.find((s) => s.id === pad.gesture?.id);
    const doing = { color: color(own?.cls ?? target?.cls ?? pad.cls ?? ""), form };
    if (target && !(form && target.id === pad.gesture?.id)) {
      doing.target = {
        shape: target, color: color(target.cls), label: this._label(target), dashed: target.by === "model",
      };
    }
    const pointed = pad.at && !this._fixed;
    if (form) {
      const [, , w, h] = boundsOf(form);
      doing.words = `${Math.round(w)} × ${Math.round(h)}`;
      if (form.points) Object.assign(doing, { handles: form.points, round: true });
    } else if (pad.tool === "template" && !this._fixed) {
      const box = templateOf(pad, pad.at ?? this.stage.middle);
      Object.assign(doing, { form: formOf(pad.kind, box), dashed: true, color: color(pad.cls ?? ""), words: `${Math.round(box[2])} × ${Math.round(box[3])}` });
    } else if (pad.outline.length) {
      Object.assign(doing, {
        line: [...pad.outline, ...(pad.at ? [pad.at] : [])], handles: pad.outline, round: true, color: color(pad.cls ?? ""),
      });
    } else if (target && !target.locked && !this._fixed && !["polygon", "template"].includes(pad.tool)) {
      Object.assign(doing, target.box ? { handles: handlesOf(target.box, this.stage.scale) } : { handles: outlineOf(target), round: true });
    }
    const draws = ["draw", "template", "polygon"].includes(pad.tool);
    doing.guides = pointed && (this._guides || (draws && !pad.gesture && pad.tool === "draw")) ? pad.at : null;
    this.stage.doing(doing);
    this.stage.cursor(this._cursor());
  }

  _cursor() {
    const { pad } = this;
    if (this._fixed) return "grab";
    const hit = pad.gesture?.handle ? pad.gesture : pad.hover;
    if (hit?.handle) return CURSORS[hit.handle];
    if (["draw", "template", "polygon"].includes(pad.tool)) return "cross";
    if (pad.gesture?.type === "pan") return "grab";
    if (hit?.part === "point") return "point";
    if (hit?.part === "edge") return pad.tool === "points" ? "add" : "move";
    return hit ? "move" : "grab";
  }

  _paintTools(target) {
    const { pad, shapes } = this;
    const off = this._fixed;
    const state = {
      draw: pad.tool === "draw", move: pad.tool === "move", template: pad.tool === "template",
      polygon: pad.tool === "polygon", points: pad.tool === "points",
      lock: Boolean(target?.locked), alone: pad.alone, guides: this._guides,
    };
    const disabled = {
      lock: !target, remove: (!target || target.locked) && !this.open, copy: !shapes.length,
      clear: !shapes.some((s) => !s.locked), accept: !shapes.some((s) => s.by === "model"), alone: !target && !pad.alone,
    };
    for (const button of this._tools) {
      const name = button.dataset.do;
      if (name in state) setAttribute(button, "aria-pressed", String(state[name]));
      if (button.dataset.draws !== undefined || name in disabled) button.disabled = off || Boolean(disabled[name]);
      if (name === "accept") button.hidden = disabled.accept;
    }
  }

  // -- buttons

  _buttons(more) {
    const events = {
      draw: { type: "tool", tool: "draw" }, move: { type: "tool", tool: "move" }, template: { type: "tool", tool: "template" },
      polygon: { type: "tool", tool: "polygon" }, points: { type: "tool", tool: "points" }, lock: { type: "lock" },
      copy: { type: "copy" }, remove: { type: "remove" }, clear: { type: "clear" }, alone: { type: "alone" }, accept: { type: "accept" },
    };
    const views = { fit: { type: "fit" }, larger: { type: "zoom", by: 1 }, smaller: { type: "zoom", by: -1 }, guides: { type: "guides" } };
    for (const button of this._tools) {
      const name = button.dataset.do;
      const path = SHAPE_ICONS[button.dataset.icon ?? name];
      if (path) button.prepend(icon(path));
      if (name === "light") continue; // it opens by itself
      // The picture keeps the keyboard.
      button.addEventListener("mousedown", (e) => e.preventDefault());
      button.addEventListener("click", () => {
        if (more[name]) more[name]();
        else if (views[name]) this.run(views[name]);
        else if (events[name]) this.run({ type: "pad", event: events[name] });
      });
    }
  }

  _lights() {
    const light = this._root.querySelector(".drawing-light");
    if (!light) return;
    // Keys draw again at once after the mouse.
    new Light(light, (filter) => this.stage.light(filter), () => this.focus());
    light.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" && !(e.key === "Enter" && e.target.matches("input"))) return;
      e.preventDefault();
      e.stopPropagation();
      light.open = false;
      this.focus();
    });
  }
}

/** Those that have room on the screen: all, the corners, or none. */
function handlesOf([x, y, w, h], scale) {
  const least = Math.min(w, h) * scale;
  if (least < CORNERS_FROM) return [];
  const corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
  if (least < SIDES_FROM) return corners;
  return [...corners, [x + w / 2, y], [x + w, y + h / 2], [x + w / 2, y + h], [x, y + h / 2]];
}

/** To write what is there already would have the page styled anew. */
function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Where a picture's tiles are: of a DICOM file there are none in another window. */
function tilesOf(item) {
  return item.image?.endsWith("/m") ? `${item.image.slice(0, -1)}t` : null;
}
