/**
 * One picture large: the wheel or a pinch enlarges it at the pointer, dragging moves it. A text is
 * large to read, and scrolls.
 */
import { $, fill, setText, setVars } from "./dom.js";
import { answerChips } from "./chips.js";
import { reading, sayWhyMissing, textOf } from "./content.js";
import { Light } from "./light.js";
import { WindowLevel } from "./window_level.js";

const MOST = 8;
const LINES_PX = 70;
const PAGE_SHARE = 0.85;

export class Zoom {
  /** @param {HTMLDialogElement} dialog @param {() => void} onClose */
  constructor(dialog, onClose = () => {}) {
    this._dialog = dialog;
    this._image = $("img", dialog);
    sayWhyMissing(this._image);
    this._stage = $(".zoom-stage", dialog);
    this._text = $(".zoom-text", dialog);
    this._window = new WindowLevel($(".zoom-window", dialog), this._image);
    this._light = $(".zoom-light", dialog);
    // Class keys work again at once after the mouse.
    new Light(this._light, (filter) => (this._image.style.filter = filter), () => /** @type {HTMLElement} */ (document.activeElement)?.blur());
    this._item = null;
    this._pointers = new Map();
    this._reset();
    $(".zoom-close", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      this._item = null;
      onClose();
    });
    this._stage.addEventListener("wheel", (e) => this._wheel(e), { passive: false });
    this._stage.addEventListener("pointerdown", (e) => this._down(e));
    this._stage.addEventListener("pointermove", (e) => this._move(e));
    for (const end of ["pointerup", "pointercancel"]) {
      this._stage.addEventListener(end, (e) => this._pointers.delete(e.pointerId));
    }
    this._stage.addEventListener("dblclick", () => this._reset());
  }

  get isOpen() {
    return this._dialog.open;
  }

  close() {
    this._dialog.close();
  }

  /**
   * Show an item with its answer. Opens when it is closed.
   * @param {any} item
   * @param {?import("./page_state.js").Answer} answer
   * @param {(name: string) => Record<string, string>} colors
   */
  show(item, answer, colors) {
    if (this._item !== item.item_id) {
      this._item = item.item_id;
      this._content(item);
    }
    fill($(".zoom-answer", this._dialog), ...(answer ? answerChips(answer, item.prelabel, colors, null) : []));
    if (this._dialog.open) return;
    this._dialog.showModal();
    // Not the slider that the browser would choose: keys are about the item.
    (textOf(item) === null ? this._stage : this._text).focus();
  }

  _content(item) {
    const url = textOf(item);
    this._stage.hidden = url !== null;
    this._text.hidden = url === null;
    this._light.hidden = url !== null;
    if (url === null) {
      this._window.show(item);
      this._image.alt = item.name;
      setText($(".zoom-name", this._dialog), `${item.name} · ${item.width} × ${item.height}`);
      this._reset();
    } else {
      fill(this._text, reading(url));
      this._text.scrollTop = 0;
      setText($(".zoom-name", this._dialog), item.name);
    }
  }

  /** A text: a page on or back, or a few lines. */
  read(by, lines = false) {
    this._text.scrollBy({ top: by * (lines ? LINES_PX : PAGE_SHARE * this._text.clientHeight) });
  }

  _reset() {
    this._scale = 1;
    this._x = 0;
    this._y = 0;
    this._apply();
  }

  _apply() {
    setVars(this._image, { scale: this._scale, x: `${this._x}px`, y: `${this._y}px` });
  }

  _wheel(event) {
    event.preventDefault();
    this._enlarge(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }

  /** Enlarge so that what is under the pointer stays there. */
  _enlarge(factor, clientX, clientY) {
    const scale = Math.max(1, Math.min(MOST, this._scale * factor));
    const box = this._stage.getBoundingClientRect();
    const px = clientX - box.left - box.width / 2;
    const py = clientY - box.top - box.height / 2;
    const ratio = scale / this._scale;
    this._x = scale === 1 ? 0 : px - (px - this._x) * ratio;
    this._y = scale === 1 ? 0 : py - (py - this._y) * ratio;
    this._scale = scale;
    this._apply();
  }

  _down(event) {
    this._pointers.set(event.pointerId, event);
    this._stage.setPointerCapture(event.pointerId);
  }

  _move(event) {
    const before = this._pointers.get(event.pointerId);
    if (!before) return;
    if (this._pointers.size === 2) {
      const other = [...this._pointers.values()].find((p) => p.pointerId !== event.pointerId);
      const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;
      this._enlarge(
        apart(event, other) / apart(before, other),
        (event.clientX + other.clientX) / 2,
        (event.clientY + other.clientY) / 2,
      );
    } else if (this._scale > 1) {
      this._x += event.clientX - before.clientX;
      this._y += event.clientY - before.clientY;
      this._apply();
    }
    this._pointers.set(event.pointerId, event);
  }
}
