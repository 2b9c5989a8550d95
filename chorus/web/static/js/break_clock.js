/** How long somebody has worked without a pause, and when to say so. Pure. */

/** Nothing done for so long is a break. */
export const PAUSE_MS = 5 * 60_000;
const LATER_MS = 10 * 60_000;

export class BreakClock {
  /** @param {number} minutes of work after which a break is due; 0: never */
  constructor(minutes, { since = null, last = null, quiet = 0 } = {}) {
    this._after = minutes * 60_000;
    this._since = since;
    this._last = last;
    this._quiet = quiet;
  }

  /** What another page of the same person goes on from. */
  get state() {
    return { since: this._since, last: this._last, quiet: this._quiet };
  }

  /** The person did something. */
  activity(now) {
    if (this._last === null || now - this._last >= PAUSE_MS || now < this._last) {
      this._since = now;
      this._quiet = 0;
    }
    this._last = now;
  }

  /** Minutes of work to tell of; 0: nothing to say. */
  due(now) {
    if (!this._after || this._since === null || now - this._last >= PAUSE_MS) return 0;
    const worked = now - this._since;
    return worked >= this._after && now >= this._quiet ? Math.floor(worked / 60_000) : 0;
  }

  /** Say it again later. */
  later(now) {
    this._quiet = now + LATER_MS;
  }

  /** A break begins now. */
  rest() {
    this._since = this._last = null;
    this._quiet = 0;
  }
}
