/** The bar below: what was done last and what can follow, or what is selected, or the progress. */
import { $, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { doneWords, undoneWords } from "./review_words.js";

export class Bar {
  /** @param {(itemId: number) => Promise<any>} similar asks for open items like one */
  constructor(similar) {
    this._similar = similar;
    this._asked = 0;
    /** @type {?any} the item decided last */
    this.last = null;
    /** How many open items look like it. */
    this.alike = 0;
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
    this._offer(0);
    if (!item) return;
    const answer = await this._similar(item.item_id).catch(() => null);
    if (asked === this._asked && answer?.ready) this._offer(answer.items.length);
  }

  _offer(n) {
    this.alike = n;
    $("#do-similar").hidden = n === 0;
    setText($(".rv-similar-text"), n ? `${plural(n, "similar open item")}` : "");
  }

  /** @param {import("./review_room.js").Room} room @param {?any} grid null in the single view */
  render(room, grid) {
    const running = room.running;
    const selected = grid?.selected.size ?? 0;
    $("#running").hidden = !running;
    $("#bulk").hidden = Boolean(running) || !selected;
    $("#after").hidden = Boolean(running) || selected > 0;
    if (running) {
      setText($("#running-text"), `${count(running.done)} of ${count(running.of)}`);
      $("#running-bar").value = running.done / Math.max(1, running.of);
    }
    if (selected) {
      setText($("#selected"), `${count(selected)} selected`);
      const rest = $("#select-rest");
      rest.hidden = room.complete || selected < room.order.length;
      setText(rest, room.more ? "Select all" : `Select all ${count(room.total)}`);
    }
    $("#do-undo").disabled = !room.history.length && !room.pending;
  }
}
