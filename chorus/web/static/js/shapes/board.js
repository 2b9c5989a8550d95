/** The labeler's page where shapes are drawn: what the grid is for other tasks (see ../grid.js). */
import { whyMissing } from "../content.js";
import { Drawing } from "./drawing.js";
import { fits, read } from "./shapes.js";
import { noteWords } from "./words.js";
import { _ } from "../i18n.js";

/** Colours of what others say: who practises sees what is right. */
const RIGHT = "#2f9e63";

export class Board {
  /**
   * @param {HTMLElement} root @param {HTMLElement} list
   * @param {import("../task.js").Task} task
   * @param {{draw: (id: number, shapes: object[], merge: ?string) => void, note: (text: string) => void,
   *   chosen: () => void, classes: () => string[]}} on
   * @param {(name: string) => Record<string, string>} colors
   */
  constructor(root, list, task, on, colors) {
    this._root = root;
    this._item = null;
    this._answer = null;
    /** Was it said that nothing is drawn, and that Submit again means it? */
    this._asked = false;
    this.drawing = new Drawing(root, list, {
      kind: task.shapes,
      classes: on.classes,
      colors,
      draw: (shapes, merge) => {
        this._asked = false;
        on.draw(this._item.item_id, shapes, merge);
      },
      note: on.note,
      changed: on.chosen,
    });
    this.columns = 1;
  }

  /** @param {?import("../page_state.js").PageState} page */
  render(page) {
    const item = page?.items[page.focus] ?? null;
    this._root.hidden = item === null;
    this._item = item;
    this._answer = item && (page.answers[item.item_id] ?? null);
    if (item === null) return;
    const key = `${page.page_id}/${page.correcting}/${item.item_id}`;
    if (key !== this._key) {
      this._key = key;
      this._asked = false;
    }
    const verdict = page.verdicts?.[item.item_id];
    const ghosts = verdict?.answer ? read(verdict.answer, "vote").map((shape) => ({
      key: `right ${shape.id}`, shape, color: RIGHT, label: _("right: %(what)s", { what: shape.cls }), dashed: true,
    })) : [];
    this.drawing.show(item, key, this._answer?.shapes ?? [], { fixed: Boolean(page.verdicts), ghosts });
    this._missing();
  }

  async _missing() {
    const url = this.drawing.stage.missing;
    if (!url || url === this._why) return;
    this._why = url;
    const why = await whyMissing(url);
    this._root.querySelector(".drawing-canvas").dataset.why = why;
  }

  /** Give the picture the keyboard, unless the person is in some other control. */
  takeKeyboard() {
    const active = document.activeElement;
    if (active === document.body || active === null) this.drawing.focus();
  }

  get hasKeyboard() {
    return true;
  }

  arrange() {}

  roomFor() {
    return null;
  }

  /** What a class key is about. @returns {?string[]} */
  get marked() {
    const cls = this._answer?.kind === "label" && this._answer.by !== "person" && !this._answer.shapes?.length ? null : this.drawing.cls;
    return cls === null ? null : [cls];
  }

  /**
   * Before the picture is sent. An empty one is asked about once; what is begun is ended.
   * @returns {?string} why it is not sent yet
   */
  holdsBack() {
    const { drawing } = this;
    if (drawing.open) {
      drawing.do({ type: "finish" });
      return drawing.open ? _("The outline cannot end here: go on, or Esc drops it.") : _("The polygon is ended. Submit again to send the picture.");
    }
    drawing.do({ type: "cancel" });
    const given = this._answer;
    if (given?.by !== "vote" && !fits(given?.shapes ?? [])) return noteWords("many");
    if (!this._item || (given && (given.kind !== "label" || given.by === "vote" || given.shapes.length)) || this._asked) return null;
    this._asked = true;
    return _("Nothing is drawn. Submit once more if there is nothing here.");
  }

  /** Say that nothing is there. @returns {?string} why that cannot be */
  nothing() {
    if (this._answer?.shapes?.length) return noteWords("there");
    this._asked = true;
    return null;
  }
}
