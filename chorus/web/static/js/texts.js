/**
 * The texts that items are: fetched by their address, which is that of their content and good for
 * ever, and kept while they may be shown again.
 */
import { api } from "./api.js";

/** Kept at most, in characters: some hundred thousand short texts, or twenty of the longest. */
const MOST_CHARS = 20_000_000;

/** @typedef {[string, string][]} Fields name (maybe empty) and text, in order */

class Texts {
  constructor() {
    /** @type {Map<string, Fields>} the one used last at the end */
    this._known = new Map();
    this._chars = 0;
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
      this._chars += charsOf(fields);
      while (this._chars > MOST_CHARS && this._known.size > 1) {
        const [oldest, gone] = this._known.entries().next().value;
        this._known.delete(oldest);
        this._chars -= charsOf(gone);
      }
      return fields;
    } finally {
      this._coming.delete(url);
    }
  }
}

function charsOf(fields) {
  return fields.reduce((sum, [name, text]) => sum + name.length + text.length, 0);
}

export const texts = new Texts();
