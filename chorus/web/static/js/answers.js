/**
 * A person's own answers, newest first, and their corrections. It draws nothing.
 *
 * Events: `change` (something to draw), `note` (detail: {text, tone}).
 */
import { ApiFailure } from "./api.js";
import { answeringOf } from "./answering.js";
import { _ } from "./i18n.js";
import { uuid } from "./ids.js";
import { missing, open, reduce, toSend } from "./page_state.js";
import { errorWords } from "./words.js";
import { NONE, toQuery } from "./answers_filter.js";

const PAGE = 60;
/** As many rows as one answer has at most. */
const MOST = 200;

export class Answers extends EventTarget {
  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./outbox.js").Outbox} outbox
   * @param {any} project
   */
  constructor(socket, outbox, project) {
    super();
    this._socket = socket;
    this._outbox = outbox;
    this._project = project;
    this._answering = answeringOf(project, () => project.classes.map((c) => c.name));
    this.filter = NONE;
    /** @type {any[]} rows of `labeling.history`; `draft`: put together and not sent yet */
    this.rows = [];
    this.at = 0;
    this.loaded = false;
    /** @type {?string} why the list could not be read */
    this.problem = null;
    /** @type {?number} where the answers after these begin; null: there are no more */
    this._next = null;
    this._asked = 0;
    this._fetching = false;
    /** @type {{vote: any, was: any}[]} corrections made here, newest last */
    this._past = [];
    socket.addEventListener("open", () => {
      outbox.flush();
      this.load();
    });
    outbox.addEventListener("refused", (e) => this._refused(e.detail));
    outbox.addEventListener("change", () => this._changed());
  }

  /** Everything that the filter finds is here. */
  get complete() {
    return this._next === null;
  }

  get row() {
    return this.rows[this.at] ?? null;
  }

  setFilter(filter) {
    this.keep();
    this.filter = filter;
    this.at = 0;
    this.loaded = false;
    this._changed();
    return this.load();
  }

  /** Read the list anew; who looks at something keeps looking at it. */
  async load() {
    const asked = ++this._asked;
    const kept = this.loaded ? this.row?.item_id : undefined;
    try {
      const many = this.loaded ? this.rows.length : 0;
      const votes = [];
      let before = null;
      // Large ones come a few at a time.
      do {
        const answer = await this._ask({ limit: Math.min(MOST, Math.max(PAGE, many - votes.length)), before });
        if (asked !== this._asked) return;
        votes.push(...answer.votes);
        before = answer.next;
      } while (before !== null && votes.length < many);
      this.rows = votes.map((v) => this._pending(v));
      this._next = before;
      this.loaded = true;
      this.problem = null;
      const at = this.rows.findIndex((r) => r.item_id === kept);
      this.at = Math.max(0, at >= 0 ? at : Math.min(this.at, this.rows.length - 1));
    } catch (error) {
      if (asked !== this._asked || !(error instanceof ApiFailure)) return; // lost: `open` comes again
      this.problem = errorWords(error);
    }
    this._changed();
  }

  async more() {
    if (this.complete || this._fetching || !this.loaded) return;
    this._fetching = true;
    const asked = this._asked;
    try {
      const { votes, next } = await this._ask({ limit: PAGE, before: this._next });
      if (asked !== this._asked) return;
      const here = new Set(this.rows.map((r) => r.vote_id));
      this.rows = [...this.rows, ...votes.filter((v) => !here.has(v.vote_id))];
      this._next = next;
      this._changed();
    } catch {
      // Lost: the list is read anew when the connection is back.
    } finally {
      this._fetching = false;
    }
  }

  show(index) {
    if (index === this.at || !this.rows.length) return;
    this.keep();
    this.at = Math.max(0, Math.min(index, this.rows.length - 1));
    if (this.rows.length - this.at < 20) this.more();
    this._changed();
  }

  // -- correcting

  /**
   * Answer an item anew, by itself the one in view. An answer that says all is sent at once; a set of
   * classes waits for `keep`.
   * @param {any} action of page_state
   */
  act(action, row = this.row) {
    if (!row) return;
    if (!row.open) {
      this._note(_("A supervisor has decided this one: it takes no more answers."), "warn");
      return;
    }
    const before = row.draft ?? this._state(row);
    const next = reduce(before, { ...action, item_id: row.item_id });
    if (next === before) return;
    row.draft = next;
    const complete = ["skip", "flag"].includes(action.type)
      || (action.type === "label" && row.draft.answering.completes(action.cls));
    if (complete) this.keep(row);
    this._changed();
  }

  /** What the item in view is said to be, here and now. @returns {import("./page_state.js").Answer} */
  answer(row) {
    return (row.draft ?? this._state(row)).answers[row.item_id] ?? { kind: "label", classes: [], by: "person" };
  }

  /** Send what was put together; an answer that was emptied stays as it was. */
  keep(row = this.row) {
    if (!row?.draft) return;
    const [sent] = missing(row.draft) ? [] : toSend(row.draft);
    row.draft = null;
    if (sent) this._send(row, sent);
    this._changed();
  }

  /** Forget what was put together. */
  forget() {
    if (!this.row?.draft) return false;
    this.row.draft = null;
    this._changed();
    return true;
  }

  /** Take the last correction back, by one more. */
  undo() {
    if (this.forget()) return;
    const last = this._past.pop();
    if (!last) {
      this._note(_("There is nothing to undo."));
      return;
    }
    const at = this.rows.findIndex((r) => r.vote_id === last.vote);
    const row = this.rows[at] ?? { ...last.was, vote_id: last.vote };
    if (at >= 0) this.at = at;
    this._send(row, last.was, false);
    this._changed();
  }

  _state(row) {
    const vote = { vote_id: row.vote_id, kind: row.kind, value: row.value };
    const item = { ...row, prelabel: null, odd: null, vote };
    const page = { page_id: row.page_id, kind: "manual", size: 1, items: [item] };
    return open(page, this._answering);
  }

  _send(row, { kind, value }, remember = true) {
    const vote_id = uuid();
    if (remember) this._past.push({ vote: vote_id, was: { ...row, draft: null } });
    const body = {
      project_id: this._project.project_id, vote_id, item_id: row.item_id, lease_id: null, kind, value,
      duration_ms: 0, supersedes: row.vote_id,
    };
    // A correction of a correction: the one made here supersedes the one it undoes.
    for (const past of this._past) if (past.vote === row.vote_id) past.vote = vote_id;
    Object.assign(row, { vote_id, kind, value, created_at: Date.now() });
    this._outbox.put([body]);
  }

  /** A row, with the correction of it that is still on its way, or still being put together. */
  _pending(row) {
    const here = this.rows.find((r) => r.item_id === row.item_id);
    if (!here) return row;
    const { vote_id, kind, value, draft } = here;
    const sent = this._outbox.has(vote_id) ? { ...row, vote_id, kind, value } : row;
    return draft && row.open && sent.vote_id === vote_id ? { ...sent, draft } : sent;
  }

  _refused({ type, vote, error }) {
    if (type !== "vote.cast") {
      this._note(_("It was not kept: %(why)s", { why: errorWords(error) }), "bad");
      return;
    }
    this._past = this._past.filter((p) => p.vote !== vote.vote_id);
    this._note(_("The correction was not taken: %(why)s", { why: errorWords(error) }), "bad");
    this.load();
  }

  _ask(body) {
    return this._socket.request("labeling.history", {
      project_id: this._project.project_id, ...toQuery(this.filter), ...body,
    });
  }

  _note(text, tone = "info") {
    this.dispatchEvent(new CustomEvent("note", { detail: { text, tone } }));
  }

  _changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
