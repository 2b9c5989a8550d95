/**
 * The picture and what is drawn on it, on a canvas (Konva). It draws what it is told, and tells where
 * the pointer is in the picture's pixels; what that means is decided elsewhere (pad.js).
 *
 * Layers: the picture; all shapes; and, redrawn at each move of the pointer, what is being done. None
 * of them listens for events: what is under the pointer is worked out from the shapes (hits.js).
 */
import { keepAsking } from "../content.js";
import { Doing } from "./doing.js";
import { alike, paint } from "./marks.js";
import { boundsOf } from "./shapes.js";
import { Tiles } from "./tile_loader.js";
import { fitting, panned, showing, toPicture, zoomed } from "./view.js";

const { Konva } = /** @type {any} */ (window);

/** CSS pixels. */
const NEAR = { mouse: 6, pen: 10, touch: 18 };
const SLOP = { mouse: 3, pen: 5, touch: 9 };
/** From here on single pixels are shown as such. */
const SHARP = 4;

export class Stage {
  /**
   * @param {HTMLElement} root
   * @param {{pointer: (event: object, by: [number, number]) => void, view: () => void}} on
   *   `pointer`: an event of pad.js, and how far the pointer went on the screen
   */
  constructor(root, on) {
    this._root = root;
    this._on = on;
    this._size = { width: 1, height: 1 };
    this._view = { scale: 1, x: 0, y: 0 };
    this._fits = true;
    this._url = "";
    const holder = document.createElement("div");
    // Konva, too, would look at each move of the pointer.
    holder.style.pointerEvents = "none";
    root.append(holder);
    this._konva = new Konva.Stage({ container: holder, width: 1, height: 1, listening: false });
    const layer = () => {
      const made = new Konva.Layer({ listening: false });
      this._konva.add(made);
      return made;
    };
    [this._under, this._middle, this._over] = [layer(), layer(), layer()];
    this._image = new Konva.Image({ image: undefined, perfectDrawEnabled: false });
    this._under.add(this._image);
    this._tiles = new Tiles(this._under);
    /** @type {import("./marks.js").Mark[]} */
    this._marks = [];
    this._middle.add(new Konva.Shape({
      listening: false, perfectDrawEnabled: false,
      sceneFunc: (context) => paint(context, this._marks, this._view, this._room, window.devicePixelRatio || 1),
    }));
    this._doing = new Doing(this._over);
    /** @type {Map<number, PointerEvent>} */
    this._pointers = new Map();
    this._panning = null;
    /** Space is down: dragging moves the picture, whatever the tool. */
    this.grabbing = false;
    this._listen(root);
    new ResizeObserver(() => this._resize()).observe(root);
    this._resize();
  }

  // -- the picture

  /** @param {{image: string, width: number, height: number, tiles: ?string}} item @param {string} key of what is shown */
  picture(item, key) {
    if (this._key === key) return;
    this._key = key;
    this._size = { width: Math.max(1, item.width), height: Math.max(1, item.height) };
    this._url = item.image;
    this._image.setAttrs({ image: undefined, ...this._size });
    this._tiles.of(item.tiles, this._size);
    const image = new Image();
    this._root.dataset.picture = "coming";
    const show = () => {
      if (this._url !== item.image) return;
      this._image.image(image);
      this._root.dataset.picture = "there";
    };
    image.addEventListener("load", show);
    image.addEventListener("error", () => this._url === item.image && (this._root.dataset.picture = "missing"));
    keepAsking(image, () => this._key === key && this._root.isConnected);
    image.src = item.image;
    if (image.complete && image.naturalWidth) show();
    this.fit();
  }

  /** Why the picture is not there, once that is known. */
  get missing() {
    return this._root.dataset.picture === "missing" ? this._url : null;
  }

  /** @param {string} filter of CSS, on the picture alone */
  light(filter) {
    this._under.getNativeCanvasElement().style.filter = filter;
  }

  // -- what is seen of it

  get _room() {
    return { width: this._konva.width(), height: this._konva.height() };
  }

  fit() {
    this._fits = true;
    this._look(fitting(this._size, this._room));
  }

  /** All of it, or one pixel of the picture on one of the screen, at the pointer. */
  toggle() {
    if (!this._fits) this.fit();
    else this.enlarge(1 / this._view.scale > 1 ? 1 / this._view.scale : 4, this._pointer);
  }

  /** @param {number} factor @param {[number, number]} [at] of the room; its middle */
  enlarge(factor, at = [this._room.width / 2, this._room.height / 2]) {
    this._look(zoomed(this._view, factor, at, this._size, this._room));
    this._fits = this._view.scale <= fitting(this._size, this._room).scale * 1.0001;
  }

  pan(by) {
    this._look(panned(this._view, by, this._size, this._room));
  }

  /** Bring a shape into view. */
  reveal(shape) {
    this._look(showing(this._view, boundsOf(shape), this._size, this._room));
  }

  /** The middle of what is seen, in the picture. @returns {[number, number]} */
  get middle() {
    return toPicture(this._view, [this._room.width / 2, this._room.height / 2]);
  }

  get scale() {
    return this._view.scale;
  }

  _look(view) {
    if (view !== this._view) {
      this._view = view;
      for (const layer of [this._under, this._middle, this._over]) {
        layer.setAttrs({ scaleX: view.scale, scaleY: view.scale, x: view.x, y: view.y });
      }
      this._under.imageSmoothingEnabled(view.scale * (window.devicePixelRatio || 1) < SHARP);
      this._root.dataset.view = [view.scale, view.x, view.y].join(" ");
      this._on.view();
    }
    this._tiles.show(view, this._room);
  }

  _resize() {
    const { clientWidth: width, clientHeight: height } = this._root;
    if (!width || !height) return;
    this._konva.size({ width, height });
    if (this._fits) this.fit();
    else this._look(panned(this._view, [0, 0], this._size, this._room));
  }

  // -- what is drawn on it

  /** All shapes at rest. @param {import("./marks.js").Mark[]} marks */
  marks(marks) {
    const same = alike(marks, this._marks);
    this._marks = marks;
    if (!same) this._middle.batchDraw();
  }

  /** @param {import("./doing.js").What} what is being done now */
  doing(what) {
    this._doing.show(what, this._view.scale);
  }

  /** @param {string} name of a cursor */
  cursor(name) {
    this._root.dataset.cursor = this._panning || this.grabbing ? "grab" : name;
  }

  // -- the pointer

  _listen(root) {
    root.addEventListener("pointerdown", (e) => this._down(e));
    root.addEventListener("pointermove", (e) => this._move(e));
    root.addEventListener("pointerup", (e) => this._up(e));
    root.addEventListener("pointercancel", (e) => this._lost(e));
    root.addEventListener("pointerleave", () => !this._pointers.size && this._on.pointer({ type: "leave" }, [0, 0]));
    root.addEventListener("dblclick", () => this._on.pointer({ type: "double" }, [0, 0]));
    root.addEventListener("contextmenu", (e) => e.preventDefault());
    root.addEventListener("wheel", (e) => this._wheel(e), { passive: false });
  }

  _at(event) {
    const box = this._root.getBoundingClientRect();
    return /** @type {[number, number]} */ ([event.clientX - box.left, event.clientY - box.top]);
  }

  _event(type, event) {
    const kind = event.pointerType || "mouse";
    return {
      type, at: toPicture(this._view, this._at(event)), shift: event.shiftKey,
      near: (NEAR[kind] ?? NEAR.mouse) / this._view.scale, slop: (SLOP[kind] ?? SLOP.mouse) / this._view.scale,
    };
  }

  _down(event) {
    this._root.setPointerCapture(event.pointerId);
    this._pointers.set(event.pointerId, event);
    if (this._pointers.size > 1) {
      // Two fingers: what the first one began was not meant.
      this._on.pointer({ type: "cancel" }, [0, 0]);
      return;
    }
    if (event.button === 1 || this.grabbing) {
      event.preventDefault();
      this._panning = event.pointerId;
      this.cursor("grab");
    } else if (event.button === 0) {
      this._on.pointer(this._event("down", event), [0, 0]);
    }
  }

  _move(event) {
    this._pointer = this._at(event);
    const before = this._pointers.get(event.pointerId);
    if (!before) {
      this._on.pointer(this._event("move", event), [0, 0]);
      return;
    }
    const by = /** @type {[number, number]} */ ([event.clientX - before.clientX, event.clientY - before.clientY]);
    if (this._pointers.size >= 2) this._pinch(event, before, by);
    else if (this._panning !== null) this.pan(by);
    else this._on.pointer(this._event("move", event), by);
    this._pointers.set(event.pointerId, event);
  }

  _pinch(event, before, [dx, dy]) {
    const other = [...this._pointers.values()].find((p) => p.pointerId !== event.pointerId);
    const apart = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
    const middle = this._at({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
    this.enlarge(apart(event) / apart(before), middle);
    this.pan([dx / 2, dy / 2]);
    this._pinched = true;
  }

  _up(event) {
    const was = this._pointers.size;
    this._pointers.delete(event.pointerId);
    if (this._panning !== null) {
      this._panning = null;
      this.cursor("");
    } else if (was === 1 && !this._pinched && event.button === 0) {
      this._on.pointer(this._event("up", event), [0, 0]);
      // A finger that was lifted points at nothing.
      if (event.pointerType === "touch") this._on.pointer({ type: "leave" }, [0, 0]);
    }
    if (!this._pointers.size) this._pinched = false;
  }

  _lost(event) {
    this._pointers.delete(event.pointerId);
    this._panning = null;
    this._on.pointer({ type: "cancel" }, [0, 0]);
    if (!this._pointers.size) this._pinched = false;
  }

  _wheel(event) {
    event.preventDefault();
    if (event.shiftKey) this.pan([-event.deltaX || -event.deltaY, 0]);
    else this.enlarge(Math.exp(-event.deltaY / 400), this._at(event));
  }
}
