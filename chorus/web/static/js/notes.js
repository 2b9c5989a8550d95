/** Notes of reviewers, to all or to this person: a banner until it is dismissed, and a list that stays. */
import { $, el, fill, setText } from "./dom.js";
import { preview } from "./content.js";
import { ago } from "./format.js";
import { _, ngettext } from "./i18n.js";
import { serverNow } from "./server_time.js";

const SHOWN = 20;
/** Older notes are in the list; a banner is for what is news. */
const NEWS_MS = 24 * 3600_000;

export class Notes extends EventTarget {
  /**
   * @param {import("./socket.js").Socket} socket
   * @param {string} projectId
   * @param {string} userId
   */
  constructor(socket, projectId, userId) {
    super();
    this._socket = socket;
    this._project = projectId;
    this._me = userId;
    this._key = `chorus-notes-${projectId}-${userId}`;
    /** @type {any[]} newest first */
    this._notes = [];
    this._seen = Number(localStorage.getItem(this._key) ?? 0);
    $("#note-done").addEventListener("click", () => this._dismiss());
    // The keyboard stays with the page.
    $("#note-done").addEventListener("mousedown", (e) => e.preventDefault());
    socket.addEventListener("open", () => this._load());
  }

  get any() {
    return this._notes.length > 0;
  }

  async _load() {
    try {
      const { notes } = await this._socket.request("note.list", { project_id: this._project });
      // Supervisors may read messages to others, but this is the page of one who labels.
      this._notes = notes.filter((n) => n.to === null || n.to.user_id === this._me);
      this._changed();
    } catch {
      // Lost again, or no member any more: the page says so itself.
    }
  }

  /** A note that was just written. */
  take(note) {
    this._notes = [note, ...this._notes.filter((n) => n.seq !== note.seq)].slice(0, SHOWN);
    this._changed();
  }

  _dismiss() {
    this._seen = this._notes[0]?.seq ?? this._seen;
    localStorage.setItem(this._key, String(this._seen));
    this._changed();
  }

  _changed() {
    const news = this._notes.filter((n) => n.seq > this._seen && serverNow() - n.at < NEWS_MS);
    const [newest] = news;
    const banner = $("#note-banner");
    banner.hidden = !newest;
    if (newest) {
      const about = $(".note-item", banner);
      about.hidden = !newest.item;
      fill(about, newest.item ? preview(newest.item) : null);
      setText($(".note-text", banner), newest.text);
      setText($(".note-by", banner), [
        `${by(newest)}, ${ago(newest.at)}`,
        news.length > 1 && ngettext("%(n)s more under Notes", "%(n)s more under Notes", news.length - 1),
      ].filter(Boolean).join(" · "));
      banner.title = newest.text;
    }
    $("#notes").hidden = !this.any;
    fill($("#notes-list"), ...this._notes.map((n) =>
      el("li", {},
        n.item ? el("span", { class: "note-item" }, preview(n.item)) : null,
        el("span", {}, n.text, " ", el("span", { class: "muted" }, `${by(n)}, ${ago(n.at)}`)))));
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** Who wrote it, and whether to this person alone. */
function by(note) {
  return note.to ? _("%(name)s to you", note) : note.name;
}
