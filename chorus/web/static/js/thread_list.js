/** The threads of this person beside their work: what is new first, each a button that opens it. */
import { $, el, fill, setText } from "./dom.js";
import { preview } from "./content.js";
import { ago } from "./format.js";
import { _, ngettext } from "./i18n.js";

const SHOWN = 6;

export class ThreadList {
  /**
   * @param {HTMLElement} root
   * @param {import("./comments.js").Comments} comments
   * @param {(item: any) => void} open
   */
  constructor(root, comments, open) {
    this._root = root;
    this._comments = comments;
    this._open = open;
    comments.addEventListener("change", () => this.render());
    this.render();
  }

  render() {
    const { threads, unread } = this._comments;
    this._root.hidden = !threads.length;
    const badge = $(".thread-unread", this._root);
    badge.hidden = !unread;
    setText(badge, unread ? ngettext("%(n)s new", "%(n)s new", unread) : "");
    const first = [...threads].sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0));
    fill($("ul", this._root), ...first.slice(0, SHOWN).map((t) => el("li", {}, this._thread(t))));
  }

  _thread(thread) {
    const { item, last, unread } = thread;
    const by = this._comments.mine(last) ? _("You") : last.name;
    return el("button",
      {
        type: "button", class: "thread", dataset: { unread: String(unread > 0), item: String(item.item_id) },
        title: item.name, onclick: () => this._open(item), onmousedown: (e) => e.preventDefault(),
      },
      el("span", { class: "comment-item" }, preview(item)),
      el("span", { class: "thread-text" },
        el("span", { class: "comment-by" }, by, " ", el("span", { class: "muted" }, ago(last.at))),
        el("span", { class: "thread-last" }, last.text)),
      unread ? el("span", { class: "thread-new" }, _("new")) : null);
  }
}
