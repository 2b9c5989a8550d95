/** The strip of pages sent last: small mosaics in the colours of their answers. */
import { el, fill, setVars } from "./dom.js";
import { NO_CLASS, wordOf } from "./chips.js";
import { preview } from "./content.js";
import { _, ngettext } from "./i18n.js";
import { columnsOf } from "./page_state.js";
import { read } from "./shapes/shapes.js";
import { classesOf } from "./task.js";

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
    /** @type {any[]} */
    this._drawn = [null];
  }

  /** @param {any[]} pages newest first @param {?any} current the page being corrected */
  render(pages, current) {
    // Asked at every stroke: pages that were sent are other objects once anything about them is.
    const drawn = [current, ...pages.slice(0, SHOWN).map((p) => p.items)];
    if (drawn.length === this._drawn.length && drawn.every((one, at) => one === this._drawn[at])) return;
    this._drawn = drawn;
    this._root.hidden = pages.length === 0;
    fill(this._root, ...pages.slice(0, SHOWN).map((p, i) => this._mosaic(p, i, current)));
  }

  _mosaic(page, index, current) {
    const cells = page.items.slice(0, 9).map((item) => {
      const { kind, value } = item.vote;
      const classes = kind === "label" ? classesOf(value) : [];
      const shapes = value?.boxes || value?.polygons ? read(value, "vote") : undefined;
      const title = wordOf({ kind, classes, by: "vote", shapes });
      const drawn = shapes ? { shapes, colors: this._colors } : null;
      const cell = el("span", { class: "mosaic-cell", title }, preview(item, { draggable: false }, drawn));
      setVars(cell, { band: bandOf(classes.map((name) => this._colors(name).c)) });
      return cell;
    });
    const button = el(
      "button",
      {
        type: "button",
        class: "mosaic",
        dataset: { page: String(page.page_id) },
        title: _("Correct this page"),
        "aria-label": ngettext("Correct the page sent %(back)s before, %(n)s item", "Correct the page sent %(back)s before, %(n)s items", page.items.length, { back: index + 1 }),
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

/** The colours of an answer side by side, as a background. */
function bandOf(colors) {
  if (!colors.length) return `linear-gradient(${NO_CLASS.c}, ${NO_CLASS.c})`;
  const width = 100 / colors.length;
  const stops = colors.map((c, i) => `${c} ${i * width}% ${(i + 1) * width}%`);
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}
