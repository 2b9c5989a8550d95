/**
 * One decision for all that a filter finds. The server does it, chunk by chunk; here it is begun,
 * followed, stopped, and found again after a lost connection or a reload of the page: its id makes
 * that safe. The tab's own storage keeps it until its end is known.
 */
import { uuid } from "./ids.js";

export class BulkRun {
  /**
   * @param {(type: string, body: object, onPush?: (frame: any) => void) => Promise<any>} ask
   * @param {() => void} onChange
   * @param {(bulkId: string) => Promise<any>} look the `Bulk` of that id; begins nothing
   * @param {string} key under which the tab keeps it
   */
  constructor(ask, onChange, look, key) {
    this._ask = ask;
    this._onChange = onChange;
    this._look = look;
    this._key = `chorus.bulk.${key}`;
    /** @type {?{body: any, bulk: any, resolve: (bulk: any) => void, reject: (e: Error) => void}} */
    this._run = null;
  }

  /** How far it is, or null: {action, done, of, stopping}. `of` is null while items are found. */
  get progress() {
    if (this._run === null) return null;
    const { bulk, stopping } = this._run;
    return { action: bulk.action, done: bulk.done + refusals(bulk), of: bulk.of, stopping };
  }

  /**
   * @param {object} body of `review.decide_all`, without the id
   * @param {object} told what the caller wants to know of it after a reload
   * @returns {Promise<any>} the `Bulk` as it ended; rejects with what the server refused
   */
  run(body, told) {
    const bulk = { action: body.action ?? "undo", done: 0, of: null, refused: [], state: "running" };
    const kept = { body: { ...body, bulk_id: uuid() }, told };
    this._keep(kept);
    const ended = this._follow(kept.body, bulk);
    this._send();
    return ended;
  }

  /**
   * What this tab had begun before it was loaded anew. Rejects with `not_found` when the server
   * knows no more of it: then it is not begun again, since nobody asks for that now.
   * @returns {Promise<?{told: any, ended: Promise<any>}>}
   */
  async restore() {
    const kept = this._kept();
    if (kept === null || this._run !== null) return null;
    let bulk;
    try {
      bulk = await this._look(kept.body.bulk_id);
    } catch (error) {
      if (error.code === "not_found") this._keep(null);
      throw error;
    }
    const ended = this._follow(kept.body, bulk);
    if (bulk.state === "running") this._send();
    else this._take(bulk);
    this._onChange();
    return { told: kept.told, ended };
  }

  _follow(body, bulk) {
    return new Promise((resolve, reject) => {
      this._run = { body, bulk, resolve, reject, stopping: false };
    });
  }

  _keep(kept) {
    try {
      if (kept === null) sessionStorage.removeItem(this._key);
      else sessionStorage.setItem(this._key, JSON.stringify(kept));
    } catch {
      // Storage full or forbidden: a reload forgets it, as it does the rest of the page.
    }
  }

  _kept() {
    try {
      return JSON.parse(sessionStorage.getItem(this._key) ?? "null");
    } catch {
      return null;
    }
  }

  /** After the connection has come back: the same id goes on with what is there. */
  resume() {
    if (this._run !== null) this._send();
  }

  stop() {
    const run = this._run;
    if (run === null || run.stopping) return;
    run.stopping = true;
    this._onChange();
    this._ask("review.cancel_all", { bulk_id: run.body.bulk_id }).catch(() => {
      run.stopping = false; // lost on the way: it can be asked for again
      this._onChange();
    });
  }

  async _send() {
    const run = this._run;
    const take = (bulk) => this._run === run && this._take(bulk);
    try {
      take(await this._ask("review.decide_all", run.body, (frame) => take(frame.body)));
    } catch (error) {
      if (!error.code || this._run !== run) return; // no connection: `resume` asks again
      this._run = null;
      this._keep(null);
      run.reject(error);
    }
  }

  _take(bulk) {
    const run = this._run;
    run.bulk = bulk;
    if (bulk.state !== "running") {
      this._run = null;
      this._keep(null);
      run.resolve(bulk);
    }
    this._onChange();
  }
}

/** How many were refused, by a `Bulk`. */
export function refusals(bulk) {
  return bulk.refused.reduce((sum, r) => sum + r.count, 0);
}
