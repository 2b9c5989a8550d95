/** The bar below: what was done last and what can follow, or what is selected, or the progress. */
import { $, setText } from "./dom.js";
import { count } from "./format.js";
import { doneWords, runningWords, undoneWords } from "./review_words.js";
import { wordsOf } from "./task.js";

export class Bar {
  /** @param {(itemId: number) => Promise<any>} similar asks for open items like one */
  constructor(similar) {
    this._similar = similar;
    this._asked = 0;
    /** @type {?any} the item decided last */
    this.last = null;
    /** Are there open items to compare with it? */
    this.alike = false;
  }

  decided(decision) {
    setText($("#done"), doneWords(decision));
    const item = decision.many === undefined ? decision.item : null;
    const same = item?.item_id === this.last?.item_id;
    this.last = item;
    if (!same) this._look(item);
  }

  undone(decision) {
    setText($("#done"), undoneWords(decision));
    this.last = null;
    this._look(null);
  }

  async _look(item) {
    const asked = ++this._asked;
    this._offer(false);
    if (!item) return;
    const answer = await this._similar(item.item_id).catch(() => null);
    if (asked === this._asked) this._offer(Boolean(answer?.items.length));
  }

  _offer(some) {
    this.alike = some;
    $("#do-similar").hidden = !some;
  }

  /**
   * @param {import("./review_room.js").Room} room
   * @param {?any} grid null in the single view
   * @param {?string[]} draft classes put together and not decided yet
   */
  render(room, grid, draft) {
    const running = room.running;
    const selected = grid?.selected.size ?? 0;
    const bulk = selected > 0 || (grid !== null && draft !== null);
    $("#running").hidden = !running;
    $("#bulk").hidden = Boolean(running) || !bulk;
    $("#after").hidden = Boolean(running) || bulk;
    setText($("#bulk .rv-many-approve"), draft === null ? "Approve" : `Decide ${wordsOf(draft)}`);
    if (!selected) {
      setText($("#selected"), "This one");
      $("#select-rest").hidden = true;
    }
    if (running) {
      setText($("#running-text"), runningWords(running));
      $("#running-bar").value = running.of === null ? 0 : running.done / Math.max(1, running.of);
      $("#do-stop").hidden = running.stopping === undefined;
    }
    if (selected) {
      const all = room.more ? "All that match" : `All ${count(room.total)}`;
      setText($("#selected"), grid.everything ? `${all} selected` : `${count(selected)} selected`);
      const rest = $("#select-rest");
      rest.hidden = room.complete || grid.everything || selected < room.order.length;
      setText(rest, `${all.replace("All", "Select all")}`);
    }
    $("#do-undo").disabled = !room.history.length && !room.pending;
  }
}
