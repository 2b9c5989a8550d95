/**
 * The texts that items are: fetched by their address, which is that of their content and good for
 * ever, and kept while they may be shown again.
 */
import { api } from "./api.js";

const MOST = 600;

/** @typedef {[string, string][]} Fields name (maybe empty) and text, in order */

class Texts {
  constructor() {
    /** @type {Map<string, Fields>} the one used last at the end */
    this._known = new Map();
    /** @type {Map<string, Promise<Fields>>} */
    this._coming = new Map();
  }

  /** What is here already. @param {string} url @returns {?Fields} */
  get(url) {
    const fields = this._known.get(url);
    if (fields === undefined) return null;
    this._known.delete(url);
    this._known.set(url, fields);
    return fields;
  }

  /** @param {string} url @returns {Promise<Fields>} rejects where it cannot be had now */
  load(url) {
    const known = this.get(url);
    if (known) return Promise.resolve(known);
    const coming = this._coming.get(url) ?? this._fetch(url);
    this._coming.set(url, coming);
    return coming;
  }

  async _fetch(url) {
    try {
      const { fields } = await api("GET", url);
      this._known.set(url, fields);
      if (this._known.size > MOST) this._known.delete(this._known.keys().next().value);
      return fields;
    } finally {
      this._coming.delete(url);
    }
  }
}

export const texts = new Texts();
