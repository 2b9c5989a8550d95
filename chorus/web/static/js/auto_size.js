/** The size of a page of texts that follows their heights: on unless the person has chosen one. */

export class AutoSize {
  /** @param {string} projectId @param {boolean} offered only texts have it @param {Storage} [storage] */
  constructor(projectId, offered, storage = localStorage) {
    this._offered = offered;
    this._storage = storage;
    this._key = `chorus.fixed-size.${projectId}`;
    this._fixed = storage.getItem(this._key) === "1";
    /** @type {?number} what would have fitted on the last page */
    this.size = null;
  }

  get on() {
    return this._offered && !this._fixed;
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
