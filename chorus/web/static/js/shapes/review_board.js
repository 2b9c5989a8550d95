/** The review room where shapes are drawn: everybody's shapes, what they add up to, what is disputed. */
import { el, fill, setVars } from "../dom.js";
import { plural } from "../format.js";
import { Drawing } from "./drawing.js";
import { inReadingOrder } from "./pad.js";
import { read, write } from "./shapes.js";
import { accepted, begin, changed, decisionOf, differs, dropped, openOf, stepped, supportWords } from "./verdict.js";

/** Of the people whose shapes are shown, in turn; light enough to be seen on the dark around. */
const PEOPLE = ["#ffd23f", "#3fd7ff", "#ff6fb5", "#9dff57", "#c79bff", "#ff9a3f", "#5fffc8", "#ff6b6b"];

export class ReviewBoard {
  /**
   * @param {HTMLElement} root @param {HTMLElement} list @param {HTMLElement} legend whose colour is whose
   * @param {import("../task.js").Task} task
   * @param {{changed: () => void, note: (text: string) => void, classes: () => string[],
   *   colors: (name: string) => Record<string, string>}} on
   */
  constructor(root, list, legend, task, on) {
    this._root = root;
    this._kind = task.shapes;
    this._on = on;
    this._legend = legend;
    this._item = null;
    this._key = "";
    /** @type {?import("./verdict.js").Verdict} */
    this.verdict = null;
    this._asked = false;
    /** Are everybody's own shapes shown? */
    this.votes = true;
    /** Do keys draw, instead of deciding? */
    this.editing = false;
    this._hidden = new Set();
    this.drawing = new Drawing(root, list, {
      kind: task.shapes, classes: on.classes, colors: on.colors,
      draw: (shapes, merge) => this._set(changed(this.verdict, shapes, merge)),
      note: on.note,
      changed: () => on.changed(),
    });
    root.addEventListener("click", (e) => {
      const tool = e.target.closest("[data-do]")?.dataset.do;
      if (["draw", "template", "polygon", "points"].includes(tool)) this.edit(true);
    });
  }

  /** @param {any} item in view, or null */
  render(item) {
    if (item === null) {
      this._item = null;
      return;
    }
    const said = JSON.stringify([item.consensus, item.label, item.provisional, item.source, item.decided?.seq]);
    const other = this._item?.item_id !== item.item_id;
    // Votes that come in while it is being decided do not take what was done here away.
    if (other || (said !== this._said && !this.verdict.past.length)) {
      this.verdict = begin(item);
      this._said = said;
      this._asked = false;
      if (other) {
        this.editing = false;
        this._hidden.clear();
      }
    }
    this._item = item;
    this._show();
    if (other) this._next();
    this._people();
  }

  _show() {
    this._root.dataset.editing = String(this.editing);
    const { support, shapes } = this.verdict;
    const notes = new Map([...support].map(([id, s]) => [id, supportWords(s)]));
    this.drawing.show(this._item, String(this._item.item_id), shapes, { ghosts: this._ghosts(), notes });
  }

  _set(verdict) {
    if (verdict === this.verdict) return;
    this.verdict = verdict;
    this._asked = false;
    this._show();
    this._on.changed();
  }

  _voters() {
    const votes = this._item.votes.filter((v) => v.standing && v.kind === "label");
    return votes.map((vote, at) => ({ vote, color: PEOPLE[at % PEOPLE.length] }));
  }

  _ghosts() {
    if (!this.votes) return [];
    return this._voters().filter(({ vote }) => !this._hidden.has(vote.user_id)).flatMap(({ vote, color }) =>
      read(vote.value, "vote").map((shape) => ({
        key: `${vote.vote_id} ${shape.id} ${JSON.stringify(vote.value).length}`, shape, color, faint: true, thin: true,
      })));
  }

  /** Whose colour is whose; a click hides one person's. */
  _people() {
    fill(this._legend, ...this._voters().map(({ vote, color }) => {
      const shown = this.votes && !this._hidden.has(vote.user_id);
      const button = el("button", {
        type: "button", class: "rv-person", "aria-pressed": String(shown), title: `Show what ${vote.labeler} drew`,
        onclick: () => {
          if (!this._hidden.delete(vote.user_id)) this._hidden.add(vote.user_id);
          this.votes = true;
          this._show();
          this._people();
        },
        onmousedown: (e) => e.preventDefault(),
      }, el("span", { class: "rv-dot", "aria-hidden": "true" }), vote.labeler);
      setVars(button, { c: color });
      return button;
    }));
  }

  // -- what is done

  /** The disputed shape that A and X are about: the one chosen, else the first. */
  get disputed() {
    const open = inReadingOrder(openOf(this.verdict));
    const target = this.drawing.target;
    return open.find((s) => s.id === target?.id) ?? (target ? null : (open[0] ?? null));
  }

  get open() {
    return this.verdict ? openOf(this.verdict).length : 0;
  }

  /** Choose the next disputed shape. */
  _next() {
    const [first] = inReadingOrder(openOf(this.verdict));
    this.drawing.do({ type: "choose", id: first?.id ?? null });
    if (first) this.drawing.stage.reveal(first);
  }

  accept() {
    const shape = this.disputed;
    if (!shape) {
      this._on.note(this.open ? "This shape is not disputed." : "Nothing is disputed here.");
      return;
    }
    this._set(accepted(this.verdict, shape.id));
    this._next();
  }

  drop() {
    const shape = this.drawing.target ?? this.disputed;
    if (!shape) {
      this._on.note("Point at a shape, or choose one first.");
      return;
    }
    const open = shape.by === "model";
    this._set(dropped(this.verdict, shape.id));
    if (open) this._next();
  }

  showVotes() {
    this.votes = !this.votes;
    this._show();
    this._people();
  }

  edit(on = !this.editing) {
    if (on === this.editing) return;
    this.editing = on;
    this._root.dataset.editing = String(on);
    if (!on && this.drawing.pad.tool !== "move") this.drawing.do({ type: "tool", tool: "move" });
    this._on.changed();
  }

  /** Back over what was done here; false: nothing was. */
  undo(by = -1) {
    const next = stepped(this.verdict, by);
    if (next === this.verdict) return false;
    this._set(next);
    return true;
  }

  /** Forget what was put together. */
  forget() {
    if (!this.verdict?.past.length) return false;
    this.verdict = begin(this._item);
    this._asked = false;
    this._show();
    this._next();
    return true;
  }

  pick(name) {
    this.drawing.do({ type: "class", cls: name });
  }

  /**
   * What Enter decides: null to approve what is said already, else the shapes for a change.
   * @returns {?object[]}
   */
  get decision() {
    if (!this.verdict || !differs(this.verdict, this._item)) return null;
    return write(this._kind, decisionOf(this.verdict))[this._kind];
  }

  /** Has anything been put together here? */
  get touched() {
    return Boolean(this.verdict?.past.length);
  }

  /** Why Enter does not decide yet; asked once. @returns {?string} */
  holdsBack() {
    if (this.drawing.open) {
      this.drawing.do({ type: "finish" });
      return this.drawing.open ? "The outline cannot end here: go on, or Esc drops it." : "The polygon is ended.";
    }
    if (!this.open || this._item.state !== "needs_review" || this._asked) return null;
    this._asked = true;
    return `${plural(this.open, "disputed shape")} left: A accepts, X drops. Enter once more drops ${this.open === 1 ? "it" : "them"}.`;
  }

  /** What the button says. */
  words() {
    const n = decisionOf(this.verdict).length;
    const decide = this.decision === null ? "Approve" : "Decide";
    const left = this.open ? `, drop ${this.open}` : "";
    return `${decide} ${plural(n, "shape")}${left}`;
  }
}
