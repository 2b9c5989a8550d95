/** Writing about an item, alone or with a flag; what was written before stands above. */
import { $, el, fill, setText } from "./dom.js";
import { preview } from "./content.js";
import { ago } from "./format.js";
import { _, ngettext } from "./i18n.js";

export class CommentDialog {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./comments.js").Comments} comments
   * @param {{flag: (ids: number[]) => void, sent: () => void, closed: () => void}} on `flag`: these
   *   items, the page in view may be another one by then; `sent`: a comment without a flag
   */
  constructor(dialog, comments, on) {
    this._dialog = dialog;
    this._comments = comments;
    this._on = on;
    this._items = [];
    this._flag = false;
    /** @type {Map<string, string>} what was written and not sent, by what it is about */
    this._drafts = new Map();
    this._field = $("textarea", dialog);
    const form = $("form", dialog);
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      this._send();
    });
    this._field.addEventListener("keydown", (e) => {
      // Enter sends, as elsewhere on this page; an input method's own Enter does not.
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      form.requestSubmit();
    });
    $(".dialog-close", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => on.closed());
    this._field.addEventListener("input", () => this._drafts.set(this._about, this._field.value));
    comments.addEventListener("comment", (e) => this._arrived(e.detail));
  }

  get _about() {
    return this._items.map((i) => i.item_id).join();
  }

  get isOpen() {
    return this._dialog.open;
  }

  /** @param {any[]} items what it is about: one, or all that are to be flagged @param {boolean} flag */
  open(items, flag) {
    this._items = items;
    this._flag = flag;
    const [item] = items;
    const one = items.length === 1;
    setText($("h2", this._dialog), flag ? _("Flag: something is wrong") : _("Comments"));
    setText($(".comment-name", this._dialog), one
      ? item.name
      : ngettext("%(n)s selected item", "%(n)s selected items", items.length));
    fill($(".comment-item", this._dialog), one ? preview(item) : null);
    setText($(".comment-why", this._dialog), flag
      ? _("A supervisor will look at it. What is wrong? You may leave this empty.")
      : _("Only you and the supervisors see this."));
    setText($(".comment-send", this._dialog), flag ? _("Flag") : _("Send"));
    this._field.required = !flag;
    this._field.value = this._drafts.get(this._about) ?? "";
    this._show([]);
    this._dialog.showModal();
    this._field.focus();
    if (one) this._load(item.item_id);
  }

  async _load(itemId) {
    const found = await this._comments.of(itemId).catch(() => []);
    if (!this.isOpen || this._items[0]?.item_id !== itemId) return;
    this._show(found);
    if (found.length) this._comments.read(itemId, found.at(-1).seq);
  }

  _arrived(comment) {
    if (this.isOpen && this._items.length === 1 && comment.item_id === this._items[0].item_id) this._load(comment.item_id);
  }

  _show(comments) {
    const list = $(".comments", this._dialog);
    list.hidden = !comments.length;
    fill(list, ...comments.map((c) => commentNode(c, this._comments.mine(c))));
    list.scrollTop = list.scrollHeight;
  }

  _send() {
    const text = this._field.value.trim();
    if (!text && !this._flag) return;
    if (text) for (const item of this._items) this._comments.write(item.item_id, text);
    this._drafts.delete(this._about);
    this._dialog.close();
    if (this._flag) this._on.flag(this._items.map((i) => i.item_id));
    else this._on.sent();
  }
}

/** One comment as a list entry. */
export function commentNode(comment, mine) {
  return el("li", { class: "comment-entry", dataset: { mine: String(mine) } },
    el("span", { class: "comment-by" }, mine ? _("You") : comment.name, " ",
      el("span", { class: "muted" }, ago(comment.at))),
    el("p", { dir: "auto" }, comment.text));
}
