/**
 * What is written about items, live: the threads this person may see, and how much of it is new.
 *
 * Events: `change` when a thread or a count is another one, `comment` (detail: the comment) when one
 * comes in.
 */
import { uuid } from "./ids.js";

const SHOWN = 50;

export class Comments extends EventTarget {
  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./outbox.js").Outbox} outbox
   * @param {string} projectId
   * @param {string} me user_id
   */
  constructor(socket, outbox, projectId, me) {
    super();
    this._socket = socket;
    this._outbox = outbox;
    this._project = projectId;
    this._me = me;
    /** @type {any[]} newest first */
    this.threads = [];
    this.unread = 0;
    socket.addEventListener("open", () => this._open());
  }

  async _open() {
    const topic = `project/${this._project}/comments`;
    try {
      await this._socket.request("subscribe", { topic }, ({ body }) => this._take(body));
      await this._load();
    } catch {
      // Lost again, or no member any more: the page says so itself.
    }
  }

  async _load() {
    const { threads, unread } = await this._ask("comment.threads", { limit: SHOWN });
    this.threads = threads;
    this.unread = unread;
    this.dispatchEvent(new CustomEvent("change"));
  }

  async _take(comment) {
    this.dispatchEvent(new CustomEvent("comment", { detail: comment }));
    await this._load().catch(() => {});
  }

  /** All about an item that this person may read, oldest first. */
  async of(itemId) {
    return (await this._ask("comment.list", { item_id: itemId })).comments;
  }

  /** The threads about an item, as far as they are among the newest. */
  about(itemId) {
    return this.threads.filter((t) => t.item.item_id === itemId);
  }

  /** Write about an item; it is kept until the server has it. `to`: in this labeler's thread. */
  write(itemId, text, to = null) {
    const body = { project_id: this._project, comment_id: uuid(), item_id: itemId, text };
    this._outbox.put([to === null ? body : { ...body, to }], "comment.add");
  }

  /** Everything about the item up to `seq` has been read. */
  async read(itemId, seq) {
    const fresh = this.about(itemId).some((t) => t.unread);
    if (!fresh) return;
    try {
      this.unread = (await this._ask("comment.read", { item_id: itemId, seq })).unread;
      for (const thread of this.about(itemId)) thread.unread = 0;
      this.dispatchEvent(new CustomEvent("change"));
    } catch {
      // Lost: it stays new until it is read again.
    }
  }

  mine(comment) {
    return comment.user_id === this._me;
  }

  _ask(type, body) {
    return this._socket.request(type, { project_id: this._project, ...body });
  }
}
