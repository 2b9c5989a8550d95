/** How long a person was really at a page: pauses longer than half a minute do not count. */

const PAUSE_MS = 30_000;

export class PageTime {
  constructor(now = () => performance.now()) {
    this._now = now;
    this._spent = new Map();
    this._page = null;
    this._last = 0;
  }

  /** The person did something, with this page in view. */
  activity(pageId) {
    const now = this._now();
    if (pageId === this._page) {
      const spent = this._spent.get(pageId) ?? 0;
      this._spent.set(pageId, spent + Math.min(now - this._last, PAUSE_MS));
    }
    this._page = pageId;
    this._last = now;
  }

  /** The time spent on a page, in ms; it starts over. */
  take(pageId) {
    this.activity(pageId);
    const spent = this._spent.get(pageId) ?? 0;
    this._spent.delete(pageId);
    this._page = null;
    return Math.round(spent);
  }
}
