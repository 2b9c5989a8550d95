/** What comes next is fetched (and pictures decoded) before it is needed. */
import { textOf } from "./content.js";
import { texts } from "./texts.js";

/** So long a picture that did not come is not asked for again. */
const AGAIN_MS = 5_000;

/** The picture a tile of this page shows: small ones suffice for a full grid. */
export function pictureOf(item, count) {
  return count > 4 && window.devicePixelRatio <= 1.5 ? item.thumb : item.image;
}

export class Preload {
  constructor() {
    /** @type {Map<string, HTMLImageElement>} held, so that the decoded images stay in memory */
    this._images = new Map();
  }

  /**
   * Fetch what these items show and forget all other pictures.
   * @param {any[]} items @param {(item: any) => string} picture the address of an item's picture
   */
  keep(items, picture) {
    for (const item of items) {
      // The card itself says when a text is missing.
      if (textOf(item) !== null) texts.load(item.text).catch(() => {});
    }
    const wanted = new Set(items.filter((i) => textOf(i) === null).map(picture));
    for (const url of this._images.keys()) if (!wanted.has(url)) this._images.delete(url);
    for (const url of wanted) {
      if (this._images.has(url)) continue;
      const image = new Image();
      image.src = url;
      this._images.set(url, image);
      image.decode().catch(() => {
        // The tile itself says when a picture is missing.
        setTimeout(() => this._images.get(url) === image && this._images.delete(url), AGAIN_MS);
      });
    }
  }
}
