/** The size of a page of texts that follows their heights: on unless the person has chosen one. */

export class AutoSize {
  /** @param {string} projectId @param {Storage} [storage] */
  constructor(projectId, storage = localStorage) {
    this._storage = storage;
    this._key = `chorus.fixed-size.${projectId}`;
    this._fixed = storage.getItem(this._key) === "1";
    /** @type {?number} what would have fitted on the last page */
    this.size = null;
  }

  get on() {
    return AutoSize.offered && !this._fixed;
  }

  /** Is there a button for it? Only where items are texts. */
  static get offered() {
    return document.querySelector('#sizes [data-size="0"]') !== null;
  }

  /** @param {boolean} on */
  set(on) {
    this._fixed = !on;
    try {
      if (on) this._storage.removeItem(this._key);
      else this._storage.setItem(this._key, "1");
    } catch {
      // Full or forbidden: it holds until the page is left.
    }
  }

  /** @param {?number} size that fits; null: not known now */
  take(size) {
    this.size = size ?? this.size;
  }
}
