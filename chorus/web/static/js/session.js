/**
 * One labeler at work in one tab: the pages in hand, the next ones, the ones sent.
 *
 * Events: `change` when there is something new to show, `sending` while the page in view leaves it,
 * `note` (detail: {text, tone}) for a message that passes, `gone` (detail: {code, message}) when this
 * person may not work here any more.
 */
import { ApiFailure } from "./api.js";
import { answeringOf } from "./answering.js";
import { Drafts } from "./drafts.js";
import { _ } from "./i18n.js";
import { newTabId, tabId, uuid } from "./ids.js";
import { PageTime } from "./page_time.js";
import { renamedFrom } from "./class_tree.js";
import { missing, open, reduce, renamed, renamedItem, reopen, tell, toSend, toldAgain, touched } from "./page_state.js";
import { pagesOf, withPage } from "./recent.js";
import { taskOf } from "./task.js";
import { errorWords } from "./words.js";

/** One page in hand, one ahead: the next page is there when this one is sent. */
const PAGES_AHEAD = 2;
/** So long after the server could not open our pages we ask again. */
const OPEN_AGAIN_MS = 2_000;
const HISTORY = 90;
/** A page at work says so after this share of the time after which it would be taken back. */
const SIGN_SHARE = 0.25;

export class Session extends EventTarget {
  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./outbox.js").Outbox} outbox
   * @param {any} user
   * @param {any} project
   */
  constructor(socket, outbox, user, project) {
    super();
    this._socket = socket;
    this._outbox = outbox;
    this._drafts = new Drafts(user.user_id, project.project_id);
    this._time = new PageTime();
    this._tab = tabId();
    this.project = project;
    this._answering = answeringOf(project, () => this.project.classes.map((c) => c.name));
    this._text = taskOf(project).text;
    this.me = { today: 0, total: 0 };
    this.pageSize = project.page_size;
    /** @type {import("./page_state.js").PageState[]} pages to label, in the order they came */
    this.queue = [];
    /** @type {?import("./page_state.js").PageState} an earlier page being corrected */
    this.correcting = null;
    /** @type {Map<any, import("./page_state.js").PageState>} corrections that were left and not saved */
    this._unsaved = new Map();
    /**
     * @type {?import("./page_state.js").PageState} a practice page that was sent: what was right is
     * shown until the person goes on
     */
    this.told = toldAgain(this._drafts.told, this._answering);
    /** @type {any[]} */
    this.recent = [];
    /** @type {?string} why there is no page, as the server says */
    this.empty = null;
    this._known = new Set();
    /** When the server last heard that somebody is here. */
    this._heard = performance.now();
    /** Is it known which pages this tab holds? */
    this._opened = false;
    socket.addEventListener("open", () => this._open());
    socket.addEventListener("lost", () => this._changed());
    outbox.addEventListener("change", () => this._changed());
    outbox.addEventListener("kept", (e) => this._kept(e.detail));
    outbox.addEventListener("refused", (e) => this._refused(e.detail));
  }

  /** The page in view. */
  get current() {
    return this.correcting ?? this.told ?? this.queue.find((p) => p.items.length) ?? null;
  }

  get paused() {
    return this.project.state !== "running";
  }

  // -- what the person does

  /** Apply an action to the page in view. */
  act(action) {
    const page = this.current;
    if (!page || this.paused) return;
    if (page === this.told && action.type !== "move" && action.type !== "focus") return;
    this._time.activity(page.page_id);
    const next = reduce(page, action);
    if (next === page) return;
    this._replace(page, next);
    this._changed();
    // One item a page: the answer that says all is also sending.
    const complete = action.type === "skip" || action.type === "flag"
      || (action.type === "label" && next.answering.completes(action.cls));
    if (complete && next.size === 1 && !missing(next)) this.submit();
  }

  /**
   * Send the page in view.
   * @returns {number} how many answers are missing; 0 when it is sent
   */
  submit() {
    const page = this.current;
    if (!page || this.paused) return 0;
    if (page === this.told) {
      this.told = null;
      this._changed();
      return 0;
    }
    const lacking = missing(page);
    if (lacking) {
      this._replace(page, reduce(page, { type: "focusMissing" }));
      this._changed();
      return lacking;
    }
    // What cannot be sent stays in view, to be made simpler.
    if (!this._cast(page, toSend(page))) return 0;
    if (this.correcting) {
      this._unsaved.delete(page.page_id);
      this.correcting = null;
    } else {
      this.dispatchEvent(new CustomEvent("sending"));
      this._drafts.submitted(page.page_id);
      this.queue = this.queue.filter((p) => p !== page);
      if (page.kind === "practice") this.told = tell(page);
      if (!page.extra) this._ask("labeling.credit", { n: 1 });
    }
    this._changed();
    return 0;
  }

  /** Take back the last thing done: an answer, a selection, or the sending of a page. */
  undo() {
    const page = this.current;
    if (this.told && page === this.told) return;
    if (page?.past.length) {
      this.act({ type: "undo" });
      return;
    }
    const at = this.correcting
      ? this.recent.findIndex((p) => p.page_id === this.correcting?.page_id) + 1
      : 0;
    if (this.recent[at]) this.correct(this.recent[at].page_id);
    else this._note(_("There is nothing to undo."));
  }

  /** Do again what was undone on the page in view. */
  redo() {
    const page = this.current;
    if (page?.future.length && page !== this.told) this.act({ type: "redo" });
  }

  /** Open an earlier page to correct it. */
  correct(pageId) {
    const page = this.recent.find((p) => p.page_id === pageId);
    if (!page || this.paused || this.correcting?.page_id === pageId) return;
    this._layAside();
    this.correcting = this._unsaved.get(pageId) ?? reopen(page, this._answering);
    this._changed();
  }

  /** Back to the page in hand. */
  leaveCorrection() {
    this._layAside();
    this.correcting = null;
    this._changed();
  }

  /** Nothing that was changed gets lost by one key too many. */
  _layAside() {
    const page = this.correcting;
    if (!page || (!toSend(page).length && !missing(page))) return;
    this._unsaved.set(page.page_id, page);
    this._note(_("The correction is not saved. Open that page again to go on with it."), "warn");
  }

  async resize(size) {
    if (size === this.pageSize) return;
    const before = this.pageSize;
    this.pageSize = size;
    this._changed();
    const keep = this.queue.filter(touched).map((p) => p.page_id);
    const stays = this.current !== null && (this.current.correcting || touched(this.current));
    try {
      await this._request("labeling.size", { page_size: size, keep });
      if (stays) this._note(_("This page stays as it is; the next ones are of %(n)s.", { n: size }));
    } catch (error) {
      this.pageSize = before;
      this._changed();
      const refused = error instanceof ApiFailure;
      this._note(refused ? errorWords(error) : _("Offline: the size can be changed when you are back."), "warn");
    }
  }

  /** Pages that come from now on have this size; those in hand stay as they are. */
  async resizeNext(size) {
    if (size === this.pageSize) return;
    this.pageSize = size;
    const keep = this.queue.map((p) => p.page_id);
    // Not heard: the server says its size again when the connection is back.
    await this._request("labeling.size", { page_size: size, keep }).catch(() => {});
    this._changed();
  }

  /**
   * Somebody is here: pages held back from an empty chair may come again, and what is worked at for
   * long without an answer, as a picture with many shapes, is not taken for forsaken.
   */
  awake() {
    const idle = this.empty === "idle";
    const now = performance.now();
    if (!idle && now - this._heard < this.project.lease_ms * SIGN_SHARE) return;
    this._heard = now;
    this._ask("labeling.credit", { n: 0 });
    if (!idle) return;
    this.empty = null;
    this._changed();
  }

  /** Another tab took this one's place; go on here under a new id. */
  takeOver() {
    this._tab = newTabId();
    location.reload();
  }

  // -- what the server says

  async _open() {
    this._known = new Set();
    const held = this._opened ? this.queue.length : this._drafts.held;
    try {
      const reply = await this._request(
        "labeling.open",
        { tab: this._tab, credit: Math.max(0, PAGES_AHEAD - held) },
        (frame) => this._push(frame.type, frame.body),
      );
      this._project(reply.project);
      this.me = reply.me;
      this.pageSize = reply.page_size;
      this._outbox.flush();
      // Pages still held come before this answer; what the server took back meanwhile goes,
      // but for pages with work on them: their votes still count.
      const { credit } = await this._request("labeling.credit", { n: 0 });
      this.queue = this.queue.filter((p) => this._known.has(p.page_id) || touched(p));
      const need = PAGES_AHEAD - this.queue.length - credit;
      if (need > 0) this._ask("labeling.credit", { n: need });
      if (!this._opened) {
        this._opened = true;
        const { votes } = await this._request("labeling.history", { limit: HISTORY });
        const here = this.recent;
        this.recent = here.reduceRight(withPage, pagesOf(votes));
      }
    } catch (error) {
      if (error instanceof ApiFailure && error.retry) {
        setTimeout(() => this._open(), OPEN_AGAIN_MS); // trouble of the server's own: its disk is full …
      } else if (error instanceof ApiFailure) {
        this.dispatchEvent(new CustomEvent("gone", { detail: { code: error.code, message: error.message } }));
      } // else: connection lost, `open` comes again
    }
    this._changed();
  }

  _push(type, body) {
    if (type === "page") this._page(body);
    else if (type === "item.closed") this._itemClosed(body);
    else if (type === "page.closed") this._pageClosed(body);
    else if (type === "empty") this.empty = body.reason;
    else if (type === "project") this._project(body);
    else if (type === "me") this.me = body;
    else if (type === "note") this.dispatchEvent(new CustomEvent("guideline", { detail: body }));
    this._changed();
  }

  /** What is in hand follows the classes' new names. */
  _project(project) {
    const names = renamedFrom(this.project.classes, project.classes);
    this.project = { ...project, role: project.role ?? this.project.role };
    if (!names.size) return;
    this.queue = this.queue.map((page) => renamed(page, names));
    if (this.correcting) this.correcting = renamed(this.correcting, names);
    for (const [id, page] of this._unsaved) this._unsaved.set(id, renamed(page, names));
    this.recent = this.recent.map((page) => ({
      ...page, items: page.items.map((item) => renamedItem(item, names)),
    }));
  }

  _page(page) {
    this._known.add(page.page_id);
    this.empty = null;
    if (this._drafts.isSubmitted(page.page_id)) {
      // Its votes are on their way; what was put on it since is still to be answered.
      const items = page.items.filter((i) => !i.vote && !this._outbox.hasItem(i.item_id));
      if (items.length) this._extra(page.page_id, items);
      return;
    }
    const held = this.queue.find((p) => p.page_id === page.page_id);
    const state = open(page, this._answering, held ?? this._drafts.of(page.page_id));
    if (held) this._replace(held, { ...state, past: held.past });
    else this.queue.push(state);
  }

  /** Items that were put on a page that had been sent: a page that has cost no credit. */
  _extra(page_id, items) {
    const held = this.queue.find((p) => p.page_id === page_id);
    if (held) return;
    const page = { page_id, kind: "manual", size: items.length, items };
    this.queue.push({ ...open(page, this._answering, this._drafts.of(page_id)), extra: true });
  }

  _itemClosed({ page_id, item_id, replacement }) {
    const page = this.queue.find((p) => p.page_id === page_id);
    if (!page) {
      if (replacement) this._extra(page_id, [replacement]);
      return;
    }
    this._replace(page, reduce(page, { type: "close", item_id, replacement }));
    if (page_id === this.current?.page_id) this._note(this._text ? _("One text was settled by colleagues.") : _("One picture was settled by colleagues."));
  }

  _pageClosed({ page_id, reason }) {
    const page = this.queue.find((p) => p.page_id === page_id);
    if (!page) return;
    if (reason === "expired" && drawn(page)) {
      // Nobody has said that the drawing is done. It can be finished and sent all the same.
      this._replace(page, { ...page, extra: true });
      return;
    }
    const sends = toSend(page, true);
    const sent = sends.length > 0 && this._cast(page, sends);
    if (sent || (reason === "taken_back" && page === this.current)) {
      this._note(closedWords(reason, sent), "warn");
    }
    this.queue = this.queue.filter((p) => p !== page);
  }

  _refused({ type, vote, error }) {
    if (type === "vote.cast" && this.told) this._verdict(vote.item_id, { right: null, answer: null, note: null });
    if (type !== "vote.cast") {
      this._note(_("It was not kept: %(why)s", { why: errorWords(error) }), "bad");
      return;
    }
    if (error.code === "item_closed" || error.code === "already_voted") {
      this._note(_("An answer was not needed any more: it is settled."));
    } else {
      this._note(_("An answer was refused: %(why)s", { why: errorWords(error) }), "bad");
    }
    this.recent = this.recent.map((p) => ({
      ...p,
      items: p.items.filter((i) => i.vote?.vote_id !== vote.vote_id),
    }));
    this.recent = this.recent.filter((p) => p.items.length);
    this._changed();
  }

  /** What is right comes with the acknowledgement of an answer in practice. */
  _kept({ vote, reply }) {
    if (!this.told || !reply?.practice) return;
    this._verdict(vote.item_id, reply.practice);
    this._changed();
  }

  _verdict(id, verdict) {
    if (this.told.items.some((i) => i.item_id === id)) this.told = { ...this.told, verdicts: { ...this.told.verdicts, [id]: verdict } };
  }

  // -- helpers

  /** @returns {boolean} false: it cannot be sent, and that was said */
  _cast(page, sends) {
    const spent = this._time.take(page.page_id);
    const each = Math.round(spent / Math.max(1, sends.length));
    const votes = new Map();
    const bodies = sends.map(({ item, kind, value, supersedes }) => {
      const vote_id = uuid();
      votes.set(item.item_id, { vote_id, kind, value });
      const body = {
        project_id: this.project.project_id,
        vote_id,
        item_id: item.item_id,
        lease_id: supersedes ? null : item.lease_id,
        kind,
        value,
        duration_ms: each,
      };
      return supersedes ? { ...body, supersedes } : body;
    });
    if (!this._outbox.put(bodies)) return false;
    const items = page.items
      .map((i) => ({ ...i, prelabel: null, odd: null, vote: votes.get(i.item_id) ?? i.vote }))
      .filter((i) => i.vote);
    if (items.length && page.kind !== "practice") {
      const sent = { page_id: page.page_id, kind: page.kind, size: page.size, items };
      this.recent = withPage(this.recent, sent);
    }
    return true;
  }

  _replace(old, next) {
    if (old === this.correcting) this.correcting = next;
    else if (old === this.told) this.told = next;
    else this.queue = this.queue.map((p) => (p === old ? next : p));
  }

  _request(type, body, onPush) {
    return this._socket.request(type, { project_id: this.project.project_id, ...body }, onPush);
  }

  /** A request whose failure needs no word: after a lost connection all is agreed anew. */
  _ask(type, body) {
    this._request(type, body).catch(() => {});
  }

  _note(text, tone = "info") {
    this.dispatchEvent(new CustomEvent("note", { detail: { text, tone } }));
  }

  _changed() {
    this._drafts.keep(this.queue, this.told, this._opened);
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** Has a person drawn on this page? Practice begins anew instead. */
function drawn(page) {
  return page.kind !== "practice" && Object.values(page.answers).some((a) => a.by === "person" && a.shapes);
}

function closedWords(reason, sent) {
  if (reason === "expired") return _("The time for this page ran out. What you had answered was sent.");
  if (reason === "taken_back") {
    return sent
      ? _("A supervisor took this page back and gives it to others; here is another one. What you had answered was sent.")
      : _("A supervisor took this page back and gives it to others; here is another one.");
  }
  return _("This page was taken back. What you had answered was sent.");
}
