/** Letting the items of a filter come before all others: found, counted, then done by the server. */
import { $, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { uuid } from "./ids.js";
import { toast } from "./toast.js";

const WAIT_MS = 250;

export class PriorityForm {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(type: string, body: any, onPush?: (frame: any) => void) => Promise<any>} ask
   * @param {string} thing what an item is
   */
  constructor(dialog, ask, thing) {
    this._dialog = dialog;
    this._ask = ask;
    this._thing = thing;
    this._timer = 0;
    this._asked = 0;
    $("#do-priority").addEventListener("click", () => this._open());
    $("#priority-close").addEventListener("click", () => dialog.close());
    $("form", dialog).addEventListener("submit", (e) => {
      e.preventDefault();
      this._set(true);
    });
    $("#priority-lower").addEventListener("click", () => this._set(false));
    $("form", dialog).addEventListener("input", () => {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._count(), WAIT_MS);
    });
  }

  _open() {
    this._dialog.showModal();
    this._count();
  }

  _filter() {
    const guess = $("#priority-guess").value;
    return { text: $("#priority-text").value.trim(), state: $("#priority-state").value, ...(guess ? { guess } : {}) };
  }

  async _count() {
    const asked = ++this._asked;
    const { state, ...rest } = this._filter();
    const states = state === "open" ? ["unlabeled", "in_progress"] : [state];
    try {
      const found = await Promise.all(states.map((one) => this._ask("review.list", { ...rest, state: one, order: "item", limit: 1 })));
      if (asked !== this._asked) return;
      const total = found.reduce((sum, f) => sum + f.total, 0);
      const more = found.some((f) => f.more);
      setText($("#priority-found"), total ? `${more ? "More than " : ""}${count(total)} open ${total === 1 ? this._thing : `${this._thing}s`} match.` : `No open ${this._thing} matches.`);
      for (const id of ["#priority-raise", "#priority-lower"]) $(id).disabled = total === 0;
    } catch (error) {
      setText($("#priority-found"), error.message || "No connection.");
    }
  }

  async _set(raised) {
    const buttons = [$("#priority-raise"), $("#priority-lower")];
    for (const b of buttons) b.disabled = true;
    const done = (bulk) => {
      if (bulk.state === "running") {
        setText($("#priority-found"), bulk.of === null ? "Finding them …" : `${count(bulk.done)} of ${count(bulk.of)} …`);
        return;
      }
      if (bulk.state === "done") {
        toast(raised ? `${plural(bulk.done, this._thing)} come first now.` : `${plural(bulk.done, this._thing)} are in their usual order again.`, "good");
        this._dialog.close();
      } else {
        toast("That did not reach all of them: do it again.", "bad");
        this._count();
      }
    };
    try {
      done(await this._ask("priority.set", { bulk_id: uuid(), raised, ...this._filter() }, (frame) => done(frame.body)));
    } catch (error) {
      toast(error.message || "No connection: try again when you are back.", "bad");
      for (const b of buttons) b.disabled = false;
    }
  }
}
