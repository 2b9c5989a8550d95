/**
 * One decision for all that a filter finds. The server does it, chunk by chunk; here it is begun,
 * followed, stopped, and found again after a lost connection: its id makes that safe.
 */
import { uuid } from "./ids.js";

export class BulkRun {
  /**
   * @param {(type: string, body: object, onPush?: (frame: any) => void) => Promise<any>} ask
   * @param {() => void} onChange
   */
  constructor(ask, onChange) {
    this._ask = ask;
    this._onChange = onChange;
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
   * @returns {Promise<any>} the `Bulk` as it ended; rejects with what the server refused
   */
  run(body) {
    const bulk = { action: body.action ?? "undo", done: 0, of: null, refused: [], state: "running" };
    return new Promise((resolve, reject) => {
      this._run = { body: { ...body, bulk_id: uuid() }, bulk, resolve, reject, stopping: false };
      this._send();
    });
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
      run.reject(error);
    }
  }

  _take(bulk) {
    const run = this._run;
    run.bulk = bulk;
    if (bulk.state !== "running") {
      this._run = null;
      run.resolve(bulk);
    }
    this._onChange();
  }
}

/** How many were refused, by a `Bulk`. */
export function refusals(bulk) {
  return bulk.refused.reduce((sum, r) => sum + r.count, 0);
}
