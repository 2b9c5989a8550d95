/**
 * Progress over time: points from the server, and what came since from the live figures. Pure.
 *
 * @typedef {{at: number, unlabeled: number, in_progress: number, labeled: number, needs_review: number, skipped: number}} Point
 */

const CLOSEST_MS = 2_000;
/** Live points beyond these are thinned out; the server has better ones after a reload. */
const LIVE_MOST = 600;

export class Curve {
  constructor() {
    /** @type {Point[]} */
    this.points = [];
    this._live = 0;
  }

  /** What `dashboard.curve` said. */
  load({ fields, points }) {
    const live = this.points.slice(this.points.length - this._live);
    const known = points.map((row) => Object.fromEntries(fields.map((name, i) => [name, row[i]])));
    const last = known.at(-1)?.at ?? 0;
    const newer = live.filter((p) => p.at > last);
    this.points = [...known, ...newer];
    this._live = newer.length;
  }

  /** What is shown now. */
  add(at, counts) {
    const point = { at, ...counts };
    const newest = this.points.at(-1);
    const before = this.points.at(-2);
    if (newest && newest.at >= at) return;
    // The newest one moves on until it is far enough from the one before it.
    if (this._live > 0 && newest && before && newest.at - before.at < CLOSEST_MS) {
      this.points[this.points.length - 1] = point;
      return;
    }
    this.points.push(point);
    this._live += 1;
    if (this._live > LIVE_MOST) this._thin();
  }

  _thin() {
    const old = this.points.slice(0, this.points.length - this._live);
    const live = this.points.slice(-this._live).filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
    this.points = [...old, ...live];
    this._live = live.length;
  }

  /** The part up to a time. @param {number} at */
  until(at) {
    return this.points.filter((p) => p.at <= at);
  }
}
