/**
 * What the review room knows: the list as filtered, live; the claims of the others; the decisions
 * made here. It draws nothing.
 *
 * Events: `change` (something to draw), `note` (detail: {text, tone}), `decided` (detail: what was
 * done), `refused` (detail: {item, message}).
 */
import { api } from "./api.js";
import { BulkRun } from "./review_bulk.js";
import { before, byDoubt, decisionOf, matches, saidOf, toQuery } from "./review_filter.js";
import { classesOf, sameClasses, valueOf } from "./task.js";

const PAGE = 60;
const REFRESH_MS = 250;
const RELOAD_MS = 1500;
const HEARTBEAT_MS = 10_000;
const CANDIDATES = 20;
const CHUNK = 100;
/** How long a removal can be taken back before it is sent at all. */
const GRACE_MS = 1000;

const BECOMES = {
  approve: "labeled", change: "labeled", requeue: "unlabeled", remove: "removed",
  accept_skip: "removed",
};

export class Room extends EventTarget {
  /**
   * @param {import("./socket.js").Socket} socket
   * @param {string} projectId
   * @param {import("./task.js").Task} task
   * @param {string} me user_id
   * @param {import("./review_filter.js").Filter} filter
   */
  constructor(socket, projectId, task, me, filter) {
    super();
    this._socket = socket;
    this._project = projectId;
    this._task = task;
    this._me = me;
    this.filter = filter;
    /** @type {Map<number, any>} */
    this.items = new Map();
    /** @type {number[]} the list as shown */
    this.order = [];
    this._total = 0;
    this.more = false;
    this.loaded = false;
    /** @type {?string} why the list could not be read */
    this.problem = null;
    /** @type {?number} the item in view */
    this.current = null;
    /** @type {Map<number, string>} item -> who has it open */
    this.claims = new Map();
    /** @type {any} */
    this.stats = null;
    /** @type {?{action: string, done: number, of: ?number, stopping?: boolean}} */
    this._many_at = null;
    this._bulk = new BulkRun(
      (...args) => this._ask(...args), () => this._changed(),
      (bulkId) => api("GET", `/api/projects/${projectId}/bulks/${bulkId}`), `${me}.${projectId}`,
    );
    /** Is it known whether a bulk was running before the page was loaded? */
    this._restored = false;
    /** @type {any[]} what was decided here, newest last: {action, classes, items, seqs or bulk_id} */
    this.history = [];
    /** @type {any[]} sent, but the connection went away before the answer came */
    this._unsure = [];
    /** The newest event that was heard of here: what is decided on is as of it. */
    this._seq = 0;
    /** @type {?any} a removal that is not sent yet */
    this.pending = null;
    /** Claim what is in view (the single view does, the grid does not). */
    this.claiming = true;
    this._next = null;
    this._dirty = new Set();
    /** @type {?Set<number>} items that something happened to while the list is being read */
    this._meanwhile = null;
    this._timer = 0;
    this._reloadTimer = 0;
    this._asked = 0;
    this._moves = 0;
    socket.addEventListener("open", () => this._open());
    setInterval(() => this._heartbeat(), HEARTBEAT_MS);
    addEventListener("pagehide", () => this.flush());
  }

  /** Many being decided: {action, done, of, stopping}; `stopping` is there where it can stop. */
  get running() {
    return this._bulk.progress ?? this._many_at;
  }

  get item() {
    return this.items.get(this.current) ?? null;
  }

  get index() {
    return this.order.indexOf(this.current);
  }

  // -- lists

  async setFilter(filter) {
    this.flush();
    this.filter = filter;
    this.current = null;
    this.loaded = false;
    this._changed();
    await this.load();
  }

  /** Read the list anew; what is in view stays in view while it still belongs. */
  async load() {
    const asked = ++this._asked;
    const filter = this.filter;
    this._meanwhile = new Set();
    try {
      const answer = filter.like
        ? await this._like(filter.like)
        : await this._ask("review.list", {
            ...toQuery(filter),
            limit: Math.min(200, Math.max(PAGE, this.loaded ? this.order.length : 0)),
          });
      if (asked !== this._asked) return; // a newer question is on its way
      this.problem = null;
      this._take(answer, filter);
      // The answer may be older than what was heard while it was on its way.
      for (const id of this._meanwhile) if (this.items.has(id)) this._dirty.add(id);
      this._meanwhile = null;
      if (this._dirty.size) this._later();
    } catch (error) {
      if (asked !== this._asked) return;
      if (error.code) this.problem = error.message;
    }
    this._changed();
  }

  async _like(itemId) {
    const path = `/api/projects/${this._project}/items/${itemId}/similar?settled=false&limit=40`;
    const found = await api("GET", path);
    if (!found.ready) throw Object.assign(new Error(found.reason), { code: "not_ready" });
    const ids = found.items.map((i) => i.item_id);
    const items = ids.length ? await this._those(ids) : [];
    items.sort((a, b) => ids.indexOf(a.item_id) - ids.indexOf(b.item_id));
    return { items, next: null, total: items.length, more: false };
  }

  /** These items, 200 at most, as they are now. Large ones come a few at a time. */
  async _those(ids) {
    const items = [];
    let after = "";
    do {
      const answer = await this._ask("review.list", {
        state: "all", item_ids: ids, order: "item", limit: 200, after, count: false,
      });
      items.push(...answer.items);
      after = answer.next;
    } while (after);
    return items;
  }

  _take(answer, filter) {
    const kept = this.loaded ? this.item : null;
    const skip = this.pending?.item_id;
    const items = answer.items.filter((i) => i.item_id !== skip);
    this.items = new Map(items.map((i) => [i.item_id, i]));
    const at = Math.max(0, this.index);
    this.order = items.map((i) => i.item_id);
    this._total = answer.total - (answer.items.length - items.length);
    this.more = answer.more;
    this._next = answer.next;
    this.loaded = true;
    if (kept && !this.items.has(kept.item_id)) {
      this.items.set(kept.item_id, kept);
      if (!this.complete && matches(kept, filter)) {
        // Further down than what was read, perhaps: it keeps its place in view.
        this.order.splice(Math.min(at, this.order.length), 0, kept.item_id);
      } else this._gap = at;
      // Or it has left the list: what is known of it here is older than the list.
      this._dirty.add(kept.item_id);
      this._later();
    }
    if (this.current === null || !this.items.has(this.current)) this._first();
    else this._claim([this.current]);
  }

  /** The next page, when there is one. @returns {Promise<boolean>} whether something came */
  async loadMore() {
    if (this._next === null || this._fetching) return false;
    this._fetching = true;
    const asked = this._asked;
    try {
      const answer = await this._ask("review.list", {
        ...toQuery(this.filter), limit: 200, after: this._next, count: false,
      });
      if (asked !== this._asked) return false;
      for (const item of answer.items) {
        if (!this.items.has(item.item_id)) this.order.push(item.item_id);
        this.items.set(item.item_id, item);
      }
      this._next = answer.next;
      this._changed();
      return answer.items.length > 0;
    } catch {
      return false; // lost: the list is read anew when the connection is back
    } finally {
      this._fetching = false;
    }
  }

  /** How many the filter finds: counted where all of them are here, else as the server had it last. */
  get total() {
    return this.loaded && this.complete ? this.order.length : this._total;
  }

  /** Everything that the filter finds is here. */
  get complete() {
    return this._next === null;
  }

  // -- moving

  /** Go `step` items on, past those that others have open. */
  move(step) {
    const left = this.index < 0;
    const at = left ? (this._gap ?? 0) : this.index;
    const after = this.order.slice(left ? at : at + 1);
    const earlier = this.order.slice(0, at).reverse();
    // From an item that has left the list there is always a way back into it.
    const ahead = step > 0 ? [...after, ...(left ? earlier : [])] : [...earlier, ...(left ? after : [])];
    this._go(ahead.filter((id) => !this.claims.has(id)));
    if (this.order.length - at < 20) this.loadMore();
  }

  /** Look at this very item, whoever else does. */
  show(itemId) {
    this._leave(itemId);
    this._claim([itemId]);
    this._changed();
  }

  _first() {
    this._leave(null);
    this._go(this.order.filter((id) => !this.claims.has(id)));
  }

  async _go(candidates) {
    if (!candidates.length) {
      this._changed();
      return;
    }
    const before = candidates[0];
    this._leave(before);
    this._changed();
    const got = await this._claim(candidates.slice(0, CANDIDATES));
    // Another reviewer was quicker, and nothing has been done here since.
    if (got && got !== before && this.current === before) {
      this.current = got;
      this._changed();
    }
  }

  /** The item in view changes; one that no longer belongs into the list goes now. */
  _leave(next) {
    const item = this.item;
    this._gap = undefined;
    if (item && item.item_id !== next && !this.order.includes(item.item_id)) {
      this.items.delete(item.item_id);
    }
    this.current = next;
  }

  async _claim(ids) {
    if (!this.claiming || !this._socket.connected) return null;
    const move = ++this._moves;
    try {
      const { item_id } = await this._ask("review.claim", { item_ids: ids });
      return move === this._moves ? item_id : null;
    } catch {
      return null;
    }
  }

  _heartbeat() {
    if (this.claiming && this.current !== null) this._claim([this.current]);
  }

  /** Whether to hold a claim on what is in view. */
  setClaiming(on) {
    if (this.claiming === on) return;
    if (on) {
      this.claiming = true;
      if (this.current !== null) this._claim([this.current]);
    } else {
      this._claim([]);
      this.claiming = false;
    }
  }

  // -- deciding

  /**
   * Decide the item in view and go on. A removal waits a moment before it is sent.
   * @param {string} action @param {?string[]} [classes] of a change
   */
  decide(action, classes = null) {
    this.flush();
    const item = this.item;
    if (!item) return;
    if (!this._socket.connected) {
      this._note("No connection: nothing was decided. Try again when you are back.", "bad");
      return;
    }
    const refusal = unfit(item, action);
    if (refusal) {
      this._note(refusal, "warn");
      return;
    }
    const shown = action === "approve" ? decisionOf(item) : classes;
    const decision = { action, classes: shown, item, item_id: item.item_id, at: this.index };
    this._hide(item, action);
    if (action === "remove") {
      decision.timer = setTimeout(() => this.flush(), GRACE_MS);
      this.pending = decision;
      this._decided(decision);
    } else {
      this._send(decision);
    }
  }

  /** Send a removal that still waits. */
  flush() {
    const decision = this.pending;
    if (!decision) return;
    clearTimeout(decision.timer);
    this.pending = null;
    this._send(decision);
  }

  _hide(item, action) {
    const id = item.item_id;
    const at = this.index;
    const listed = !this.filter.like && !this.filter.flagged; // a decision answers the flag
    const stays = this.filter.state === "all" && listed
      ? BECOMES[action] !== "removed"
      : this.filter.state === BECOMES[action] && listed;
    const ahead = [...this.order.slice(at + 1), ...this.order.slice(0, Math.max(0, at))];
    if (!stays && at >= 0) {
      this.order.splice(at, 1);
      this._total = Math.max(0, this._total - 1);
    }
    const free = ahead.filter((other) => other !== id && !this.claims.has(other));
    if (free.length) this._go(free);
    else {
      this._leave(null);
      this._claim([]);
    }
    if (this.order.length - at < 20) this.loadMore();
    this._changed();
  }

  async _send(decision) {
    const { action, classes, item } = decision;
    const value = classes !== null && ["approve", "change"].includes(action) ? this._value(classes) : {};
    try {
      const answer = await this._ask("review.decide", {
        item_id: item.item_id, action, seen: item.decided?.seq ?? 0, ...value,
      });
      this._kept(decision, answer.seq);
    } catch (error) {
      if (!error.code) {
        this._unsure.push(decision);
        this._note("The connection was lost: this decision is sent again when it is back.", "warn");
      } else await this._refused(decision, error.message);
    }
  }

  _kept(decision, seq) {
    this._seq = Math.max(this._seq, seq);
    decision.seqs = [{ item_id: decision.item.item_id, seen: seq }];
    this.history.push(decision);
    this._decided(decision);
  }

  async _refused({ item }, message) {
    this.dispatchEvent(new CustomEvent("refused", { detail: { item, message } }));
    await this._fetch([item.item_id]);
    if (this.items.has(item.item_id)) this.show(item.item_id);
  }

  /** The connection is back: what became of the decisions whose answer never came? */
  async _settleUnsure() {
    for (const decision of this._unsure.splice(0)) {
      const { item, action, classes } = decision;
      try {
        const found = await this._ask("review.list", {
          state: "all", item_ids: [item.item_id], limit: 1, count: false,
        });
        const decided = found.items[0]?.decided ?? null;
        if ((decided?.seq ?? 0) === (item.decided?.seq ?? 0)) await this._send(decision);
        else if (decided.user_id === this._me && decided.action === action
          && (action !== "change" || sameClasses(decided.boxes ?? decided.polygons ?? classesOf(decided), classes))) this._kept(decision, decided.seq);
        else await this._refused(decision, `${decided.name} has decided it meanwhile; look again`);
      } catch {
        this._unsure.push(decision); // lost once more
      }
    }
  }

  /** Decisions that wait for the connection. */
  get unsure() {
    return this._unsure.length;
  }

  /** Take back the last decision made here: by not sending it, or by a decision of its own. */
  async undo() {
    const waiting = this.pending;
    if (waiting) {
      clearTimeout(waiting.timer);
      this.pending = null;
      this.items.set(waiting.item_id, waiting.item);
      if (!this.order.includes(waiting.item_id)) {
        this.order.splice(Math.max(0, waiting.at), 0, waiting.item_id);
        this._total += 1;
      }
      this.show(waiting.item_id);
      this._undone(waiting);
      return;
    }
    const last = this.history.pop();
    if (!last) {
      this._note("There is nothing to undo.");
      return;
    }
    if (last.bulk_id) {
      await this._undoAll(last);
      return;
    }
    try {
      const answer = await this._many(last.seqs, "undo", null);
      for (const { message } of answer.refused.slice(0, 1)) this._note(message, "warn");
      const ids = last.seqs.map((s) => s.item_id);
      await this._fetch(ids);
      if (ids.length === 1 && this.items.has(ids[0])) this.show(ids[0]);
      this._undone(last);
    } catch {
      this.history.push(last);
      this._note("No connection: nothing was undone. Try again when you are back.", "bad");
    }
  }

  /** The same decision for many. @param {number[]} ids */
  async decideMany(ids, action, classes = null) {
    this.flush();
    if (!this._socket.connected) {
      this._note("No connection: nothing was decided. Try again when you are back.", "bad");
      return null;
    }
    const chosen = ids.map((id) => ({ item_id: id, seen: this.items.get(id)?.decided?.seq ?? 0 }));
    const items = ids.map((id) => this.items.get(id)).filter(Boolean);
    this._many_at = { action, done: 0, of: ids.length };
    this._changed();
    let summary;
    try {
      summary = await this._many(chosen, action, classes);
    } catch (error) {
      summary = error.summary;
      this._note("The connection was lost on the way; the list shows what was decided.", "bad");
    }
    this._many_at = null;
    const seqs = summary.done.map((d) => ({ item_id: d.item_id, seen: d.seq }));
    const decision = { action, classes, items, seqs, many: ids.length, refused: summary.refused };
    if (seqs.length) this.history.push(decision);
    this._decided(decision);
    await this._fetch(ids);
    this._changed();
    return summary;
  }

  /** The same decision for all that the filter finds, here or not. */
  async decideAll(action, classes = null) {
    this.flush();
    if (!this._socket.connected) {
      this._note("No connection: nothing was decided. Try again when you are back.", "bad");
      return;
    }
    const value = action === "change" ? this._value(classes) : {};
    const body = { ...toQuery(this.filter), action, ...value, as_of: this._seq };
    await this._deciding(this._bulk.run(body, { action, classes }), { action, classes });
  }

  async _deciding(ended, { action, classes }) {
    try {
      const bulk = await ended;
      const { bulk_id, done, refused, state } = bulk;
      const decision = { action, classes, items: [], bulk_id, many: bulk.of ?? 0, done, refused, state };
      if (done) this.history.push(decision);
      this._decided(decision);
    } catch (error) {
      this._note(error.message, "bad");
    }
    await this.load();
  }

  async _undoAll(decision) {
    await this._undoing(this._bulk.run({ undoes: decision.bulk_id }, { undoes: decision }), decision);
  }

  /** Go on with what this tab had begun before it was loaded anew. */
  async _again() {
    if (this._restored) return;
    try {
      const found = await this._bulk.restore();
      this._restored = true;
      if (found?.told.undoes) this._undoing(found.ended, found.told.undoes);
      else if (found) this._deciding(found.ended, found.told);
    } catch (error) {
      if (error.code !== "not_found") return; // no connection: with the next one
      this._restored = true;
      this._note("The server was restarted while many items were being decided: what it had decided stands, the others are still open.", "warn");
    }
  }

  async _undoing(ended, decision) {
    try {
      const bulk = await ended;
      if (bulk.state !== "done") this.history.push(decision); // stopped: the rest can still go
      this._undone({ ...decision, undone: bulk.done, refused: bulk.refused, state: bulk.state });
    } catch (error) {
      this.history.push(decision);
      this._note(error.message, "bad");
    }
    await this.load();
  }

  /** Decide no more of those that are being decided. */
  stop() {
    this._bulk.stop();
  }

  async _many(chosen, action, classes) {
    const summary = { done: [], refused: [] };
    const value = action === "change" ? this._value(classes) : {};
    for (let at = 0; at < chosen.length; at += CHUNK) {
      try {
        const answer = await this._ask("review.decide_many", {
          items: chosen.slice(at, at + CHUNK), action, ...value,
        });
        summary.done.push(...answer.done);
        summary.refused.push(...answer.refused);
      } catch (error) {
        throw Object.assign(error, { summary });
      }
      if (this._many_at) {
        this._many_at = { ...this._many_at, done: Math.min(chosen.length, at + CHUNK) };
        this._changed();
      }
    }
    return summary;
  }

  // -- what the server says

  async _open() {
    try {
      const topic = `project/${this._project}`;
      await Promise.all([
        this._ask("review.open", {}, ({ body }) => this._claimed(body.claims))
          .then((reply) => this._claimed(reply.claims)),
        this._socket.request("subscribe", { topic: `${topic}/stats` }, ({ body }) => {
          this.stats = body;
          this._changed();
        }),
        this._socket.request("subscribe", { topic: `${topic}/events` }, (frame) => this._event(frame))
          .then((reply) => (this._seq = Math.max(this._seq, reply.seq))),
      ]);
      this._bulk.resume();
      this._again();
      await this._settleUnsure();
      await this.load();
    } catch (error) {
      if (error.code) this.problem = error.message;
      this._changed();
    }
  }

  _claimed(claims) {
    const who = (c) => (c.user_id === this._me ? "Another tab of yours" : c.name);
    this.claims = new Map(claims.map((c) => [c.item_id, who(c)]));
    this._changed();
  }

  _event({ type, body, seq }) {
    if (seq) this._seq = Math.max(this._seq, seq);
    if (!body) return;
    const state = this.filter.state;
    if (type === "gold.marked") {
      for (const id of body.item_ids.filter((i) => this.items.has(i))) this._dirty.add(id);
      this._later();
      return;
    }
    const touches = (body.moves ?? []).some(([from, to]) => from === state || to === state);
    if (body.item_id !== undefined) {
      this._meanwhile?.add(body.item_id);
      const flag = this.filter.flagged && type === "check.cast" && body.kind === "flag";
      // Long lists in order of import would only grow under one's eyes.
      const live = !this.filter.like && (byDoubt(this.filter) || this.order.length < PAGE);
      const arrives = flag || live
        && ((type === "item.needs_review" && state === "needs_review")
          || (body.moves ?? []).some(([, to]) => to === state));
      if (this.items.has(body.item_id) || arrives) {
        this._dirty.add(body.item_id);
        this._later();
      }
    } else if (touches && !this.filter.like && !this._reloadTimer) {
      this._reloadTimer = setTimeout(() => {
        this._reloadTimer = 0;
        this.load();
      }, RELOAD_MS);
    }
  }

  _later() {
    if (!this._timer) {
      this._timer = setTimeout(() => {
        this._timer = 0;
        const ids = [...this._dirty];
        this._dirty.clear();
        this._fetch(ids);
      }, REFRESH_MS);
    }
  }

  /** Read these anew, and put each where it now belongs. */
  async _fetch(ids) {
    const asked = this._asked;
    for (let at = 0; at < ids.length; at += 200) {
      let items;
      try {
        items = await this._those(ids.slice(at, at + 200));
      } catch {
        return; // lost: all is read anew when the connection is back
      }
      if (asked !== this._asked) return;
      for (const item of items) this._place(item);
    }
    if (this.current === null) this._first();
    this._changed();
  }

  _place(item) {
    const id = item.item_id;
    if (this.pending?.item_id === id) return;
    const at = this.order.indexOf(id);
    const fits = matches(item, this.filter);
    if (at >= 0) {
      this.items.set(id, item);
      if (fits) return; // it keeps its place, so that nobody loses theirs
      this.order.splice(at, 1);
      this._total = Math.max(0, this._total - 1);
      if (id === this.current) this._gap = at;
      else this.items.delete(id);
      return;
    }
    if (!fits) {
      if (id === this.current) this.items.set(id, item);
      return;
    }
    let to = this.order.findIndex((other) => before(item, this.items.get(other), this.filter));
    if (to < 0) {
      if (this._next !== null) {
        this._total += 1; // further down than what is loaded
        return;
      }
      to = this.order.length;
    }
    this.items.set(id, item);
    this.order.splice(to, 0, id);
    this._total += 1;
  }

  // -- helpers

  _value(classes) {
    return { value: valueOf(this._task, classes) };
  }

  _ask(type, body, onPush) {
    return this._socket.request(type, { project_id: this._project, ...body }, onPush);
  }

  _decided(decision) {
    this.dispatchEvent(new CustomEvent("decided", { detail: decision }));
  }

  _undone(decision) {
    this.dispatchEvent(new CustomEvent("undone", { detail: decision }));
  }

  _note(text, tone = "info") {
    this.dispatchEvent(new CustomEvent("note", { detail: { text, tone } }));
  }

  _changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** Why this cannot be done to this item, or null. */
function unfit(item, action) {
  if (action === "approve" && saidOf(item) === null) {
    return "Nobody has labeled this one: give it a class, or send it back.";
  }
  if (action === "accept_skip" && item.state !== "skipped") return "This item is not skipped.";
  return null;
}
