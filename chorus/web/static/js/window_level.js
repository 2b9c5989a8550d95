/** Window and level of a DICOM picture: two sliders, and the server renders it anew. */
import { el, fill, setText } from "./dom.js";

const STEPS = 400;

export class WindowLevel {
  /** @param {HTMLElement} root where the sliders go @param {HTMLImageElement} image what they change */
  constructor(root, image) {
    this._root = root;
    this._image = image;
    this._item = null;
    this._center = 0;
    this._width = 0;
    this._asked = false;
    this._shown = "";
    image.addEventListener("load", () => this._next());
    image.addEventListener("error", () => this._next());
  }

  /** Show an item's picture; the sliders too, if it has windows. */
  show(item) {
    const view = item.dicom ?? null;
    const before = this._item?.dicom ?? null;
    // A series looks alike: what was set for one picture holds for the next of the same window.
    const kept = view && before && view.center === before.center && view.width === before.width;
    this._item = item;
    this._asked = false;
    if (!kept) [this._center, this._width] = [view?.center ?? 0, view?.width ?? 0];
    this._root.hidden = view === null;
    this._shown = this._url();
    this._image.src = this._shown;
    this._draw(view);
  }

  _draw(view) {
    if (view === null) return;
    const frame = view.frames > 1 ? el("span", { class: "small" }, `frame ${view.frame} of ${view.frames}`) : null;
    if (view.center === null) {
      fill(this._root, frame);
      return;
    }
    const low = Math.min(view.low, view.center - view.width / 2);
    const high = Math.max(view.high, view.center + view.width / 2);
    const span = Math.max(1, high - low);
    const center = this._slider("Level", low, high, span, this._center, (v) => (this._center = v));
    const width = this._slider("Window", Math.min(1, span), span, span, this._width, (v) => (this._width = v));
    const reset = el("button", { class: "button quiet", type: "button", onclick: () => {
      [this._center, this._width] = [view.center, view.width];
      this._draw(view);
      this._change();
    } }, "Reset");
    fill(this._root, frame, center, width, reset);
  }

  _slider(name, min, max, span, value, set) {
    const step = span > STEPS ? Math.max(1, Math.round(span / STEPS)) : span / STEPS;
    const number = el("output", { class: "num small" }, short(value));
    const input = el("input", {
      type: "range", min: String(min), max: String(max), step: String(step), value: String(value),
      "aria-label": name,
      oninput: () => {
        set(input.valueAsNumber);
        setText(number, short(input.valueAsNumber));
        this._change();
      },
      // Class keys work again at once after the mouse.
      onpointerup: () => input.blur(),
    });
    return el("label", { class: "wl-slider small" }, name, input, number);
  }

  _url() {
    const { image, dicom } = this._item;
    const plain = !dicom || dicom.center === null
      || (this._center === dicom.center && this._width === dicom.width);
    return plain ? image : `${image}?wc=${short(this._center)}&ww=${short(this._width)}`;
  }

  /** One picture at a time: while one is rendered, only the last wish is kept. */
  _change() {
    this._asked = true;
    if (this._image.complete) this._next();
  }

  _next() {
    if (!this._asked) return;
    this._asked = false;
    const url = this._url();
    if (url === this._shown) return;
    this._shown = url;
    this._image.src = url;
  }
}

function short(value) {
  return Number(value.toPrecision(6)).toString();
}
