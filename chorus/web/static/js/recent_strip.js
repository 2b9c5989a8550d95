/** The strip of pages sent last: small mosaics in the colours of their answers. */
import { el, fill, setVars } from "./dom.js";
import { columnsOf } from "./page_state.js";

const SHOWN = 12;

export class RecentStrip {
  /**
   * @param {HTMLElement} root
   * @param {(pageId: any) => void} onPick
   * @param {(name: string) => Record<string, string>} colors
   */
  constructor(root, onPick, colors) {
    this._root = root;
    this._onPick = onPick;
    this._colors = colors;
    this._drawn = null;
  }

  /** @param {any[]} pages newest first @param {?any} current the page being corrected */
  render(pages, current) {
    const drawn = JSON.stringify([
      pages.slice(0, SHOWN).map((p) => [p.page_id, p.items.map((i) => i.vote)]),
      current,
    ]);
    if (drawn === this._drawn) return;
    this._drawn = drawn;
    this._root.hidden = pages.length === 0;
    fill(this._root, ...pages.slice(0, SHOWN).map((p, i) => this._mosaic(p, i, current)));
  }

  _mosaic(page, index, current) {
    const cells = page.items.slice(0, 9).map((item) => {
      const cell = el("img", { src: item.thumb, alt: "", loading: "lazy", draggable: false });
      const label = item.vote.kind === "label";
      setVars(cell, label ? this._colors(item.vote.value.class) : { c: "#6b7689" });
      return cell;
    });
    const button = el(
      "button",
      {
        type: "button",
        class: "mosaic",
        dataset: { page: String(page.page_id) },
        title: "Correct this page",
        "aria-label": `Correct page ${index + 1} before this one, ${page.items.length} pictures`,
        "aria-pressed": String(page.page_id === current),
        onclick: () => this._onPick(page.page_id),
        onmousedown: (e) => e.preventDefault(),
      },
      ...cells,
    );
    setVars(button, { columns: columnsOf(cells.length) });
    return button;
  }
}
