/** What labelers have written about the item in view, by thread, and the answer to it. */
import { $, el, fill, setText } from "./dom.js";
import { plural } from "./format.js";
import { commentNode } from "./comment_dialog.js";

export class ReviewComments {
  /**
   * @param {HTMLElement} root
   * @param {import("./comments.js").Comments} comments
   */
  constructor(root, comments) {
    this._root = root;
    this._comments = comments;
    this._item = null;
    this._known = "";
    /** Has the person said, of this item, to whom? */
    this._chosen = false;
    this._field = $("textarea", root);
    this._to = $("select", root);
    $("form", root).addEventListener("submit", (e) => {
      e.preventDefault();
      this._send();
    });
    this._to.addEventListener("change", () => (this._chosen = true));
    this._field.addEventListener("keydown", (e) => {
      if (e.isComposing) return; // an input method's own Enter
      if (e.key === "Escape") this._field.blur();
      if (e.key !== "Enter" || e.shiftKey) return;
      e.preventDefault();
      this._send();
    });
    comments.addEventListener("comment", ({ detail }) => {
      if (detail.item_id === this._item?.item_id) this._load();
    });
  }

  /** @param {?any} item the one in view */
  render(item) {
    const known = JSON.stringify([item?.item_id, item?.comments, item?.votes.map((v) => v.user_id)]);
    if (known === this._known) return;
    this._known = known;
    if (item?.item_id !== this._item?.item_id) {
      this._field.value = "";
      this._chosen = false;
      fill($(".rv-threads", this._root));
      // Until it is known who wrote, nobody is offered.
      this._offer(new Map());
      this._show(Boolean(item?.comments));
    }
    this._item = item;
    if (item?.comments) this._load();
    else {
      this._people([]);
      setText($("h2", this._root), "Comments");
    }
  }

  /** Put the cursor into the answer. */
  focus() {
    if (!$("form", this._root).hidden) this._field.focus();
  }

  async _load() {
    const item = this._item;
    const found = await this._comments.of(item.item_id).catch(() => null);
    if (item !== this._item) return;
    if (found === null) {
      this._known = ""; // lost: asked again with the next change
      return;
    }
    setText($("h2", this._root), found.length ? plural(found.length, "comment") : "Comments");
    this._people(found);
    const threads = Map.groupBy(found, (c) => c.labeler_id);
    fill($(".rv-threads", this._root), ...[...threads.values()].flatMap((thread) => [
      el("p", { class: "thread-of" }, `With ${thread[0].labeler}`),
      el("ol", { class: "comments" }, ...thread.map((c) => commentNode(c, this._comments.mine(c)))),
    ]));
    if (found.length) this._comments.read(item.item_id, found.at(-1).seq);
  }

  /** Who can be answered: whoever wrote, the newest first, then whoever voted. */
  _people(found) {
    const people = new Map([...found].reverse().map((c) => [c.labeler_id, c.labeler]));
    for (const vote of this._item?.votes ?? []) {
      if (!people.has(vote.user_id)) people.set(vote.user_id, vote.labeler);
    }
    this._offer(people);
    this._show(people.size > 0);
  }

  _offer(people) {
    // What is being written is to whom it was begun.
    const kept = this._chosen || this._field.value.trim() ? this._to.value : "";
    fill(this._to, ...[...people].map(([id, name]) => el("option", { value: id }, `To ${name}`)));
    if (people.has(kept)) this._to.value = kept;
  }

  _show(open) {
    $("form", this._root).hidden = !open;
    $(".rv-nobody", this._root).hidden = open;
  }

  _send() {
    const text = this._field.value.trim();
    if (!text || !this._to.value) return;
    this._comments.write(this._item.item_id, text, this._to.value);
    this._field.value = "";
    this._field.blur();
  }
}
