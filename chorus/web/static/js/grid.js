/** The grid of pictures: draws a page's state, reports clicks. */
import { ICONS, el, fill, icon, setText, setVars } from "./dom.js";
import { score } from "./format.js";
import { isOdd } from "./page_state.js";
import { pictureOf } from "./preload.js";

/** Small pictures are shown larger, but not as a blur. */
const ENLARGE_MOST = 3;

export class Grid {
  /**
   * @param {HTMLElement} root the list element
   * @param {{focus: (id: number) => void, toggle: (id: number) => void,
   *   zoom: (id: number) => void}} on
   * @param {(name: string) => Record<string, string>} colors
   */
  constructor(root, on, colors) {
    this._root = root;
    this._on = on;
    this._colors = colors;
    /** @type {Map<number, any>} */
    this._tiles = new Map();
    this._page = null;
  }

  /** @param {?import("./page_state.js").PageState} page */
  render(page) {
    this._root.hidden = page === null;
    if (page === null) {
      this._page = null;
      return;
    }
    const key = `${page.page_id}/${page.correcting}/${page.items.map((i) => i.item_id)}`;
    if (this._page !== key) {
      this._page = key;
      this._build(page);
    }
    page.items.forEach((item, index) => this._draw(page, item, index));
  }

  /** Give the focused tile the keyboard, unless the person is in some other control. */
  takeKeyboard(page) {
    const tile = this._tiles.get(page.items[page.focus]?.item_id);
    const active = document.activeElement;
    if (!tile || active === tile.node) return;
    if (active === document.body || active === null || this._root.contains(active)) {
      tile.node.focus({ preventScroll: true });
    }
  }

  _build(page) {
    this._tiles = new Map(page.items.map((i) => [i.item_id, this._tile(page, i)]));
    setVars(this._root, {
      columns: page.columns,
      rows: Math.ceil(page.items.length / page.columns),
    });
    this._root.dataset.count = String(page.items.length);
    fill(this._root, ...[...this._tiles.values()].map((t) => t.node));
  }

  _tile(page, item) {
    const id = item.item_id;
    const image = el("img", {
      alt: "",
      draggable: false,
      decoding: "sync",
      src: pictureOf(item, page.items.length),
    });
    setVars(image, { most: `${Math.max(item.width, 1) * ENLARGE_MOST}px` });
    image.addEventListener("error", () => (node.dataset.broken = "true"));
    const select = el(
      "button",
      {
        type: "button",
        class: "tile-select",
        tabIndex: -1,
        "aria-label": "Select",
        onclick: (e) => {
          e.stopPropagation();
          this._on.toggle(id);
        },
        onmousedown: (e) => e.preventDefault(),
      },
      icon(ICONS.check),
    );
    const zoom = el(
      "button",
      {
        type: "button",
        class: "tile-zoom",
        tabIndex: -1,
        "aria-label": "Zoom",
        title: "Zoom (Z)",
        onclick: (e) => {
          e.stopPropagation();
          this._on.zoom(id);
        },
        onmousedown: (e) => e.preventDefault(),
      },
      icon(ICONS.zoom),
    );
    const chip = el("span", { class: "chip" });
    const odd = el("span", { class: "tile-odd" }, "looks different");
    const settled = el("span", { class: "tile-settled" }, "new: the other was settled by colleagues");
    const node = el(
      "li",
      {
        class: "tile",
        dataset: { item: String(id) },
        tabIndex: -1,
        onclick: () => this._on.focus(id),
        ondblclick: () => this._on.zoom(id),
      },
      el("div", { class: "tile-picture" }, image),
      el("span", { class: "tile-broken" }, "picture could not be loaded"),
      select,
      zoom,
      el("div", { class: "tile-foot" }, chip, odd, settled),
    );
    return { node, chip, odd, settled, select, drawn: "" };
  }

  _draw(page, item, index) {
    const tile = this._tiles.get(item.item_id);
    const answer = page.answers[item.item_id];
    const focused = index === page.focus;
    const selected = page.selected.includes(item.item_id);
    const odd = isOdd(item) && page.kind === "clustered";
    const drawn = JSON.stringify([answer, focused, selected, odd, page.settled, index]);
    if (tile.drawn === drawn) return;
    tile.drawn = drawn;
    const { node, chip } = tile;
    node.tabIndex = focused ? 0 : -1;
    node.dataset.focused = String(focused);
    node.dataset.selected = String(selected);
    node.dataset.answered = String(Boolean(answer));
    node.dataset.by = answer?.by ?? "";
    node.dataset.odd = String(odd);
    tile.odd.hidden = !odd || Boolean(answer);
    tile.settled.hidden = !page.settled.includes(item.item_id) || Boolean(answer);
    tile.select.setAttribute("aria-pressed", String(selected));
    if (focused) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
    this._chip(chip, node, item, answer);
    const said = answer ? `answered ${wordOf(answer)}` : "no answer yet";
    const model = answer?.by === "model" ? ", by the model" : "";
    const marks = `${selected ? ", selected" : ""}${odd ? ", looks different" : ""}`;
    node.setAttribute("aria-label", `Picture ${index + 1}, ${said}${model}${marks}`);
  }

  _chip(chip, node, item, answer) {
    chip.hidden = !answer;
    if (!answer) {
      node.style.removeProperty("--c");
      return;
    }
    chip.dataset.kind = answer.kind;
    chip.dataset.by = answer.by;
    setVars(node, answer.kind === "label" ? this._colors(answer.cls) : SKIP);
    const byModel = answer.by === "model";
    if (byModel) {
      fill(
        chip,
        el("span", { class: "chip-word" }, wordOf(answer)),
        el("span", { class: "chip-model" }, `model ${score(item.prelabel?.score ?? 0)}`),
      );
    } else {
      setText(chip, wordOf(answer));
    }
  }
}

const SKIP = { c: "#6b7689", "on-c": "#ffffff" };

/** @param {import("./page_state.js").Answer} answer */
export function wordOf(answer) {
  return answer.kind === "skip" ? "Skipped" : answer.cls;
}
