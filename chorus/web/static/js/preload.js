/** Images of pages that come next are fetched and decoded before they are needed. */

/** The picture a tile of this page shows: small ones suffice for a full grid. */
export function pictureOf(item, count) {
  return count > 4 && window.devicePixelRatio <= 1.5 ? item.thumb : item.image;
}

export class Preload {
  constructor() {
    /** @type {Map<string, HTMLImageElement>} held, so that the decoded images stay in memory */
    this._images = new Map();
  }

  /** Fetch these and forget all others. @param {string[]} urls */
  keep(urls) {
    const wanted = new Set(urls);
    for (const url of this._images.keys()) if (!wanted.has(url)) this._images.delete(url);
    for (const url of wanted) {
      if (this._images.has(url)) continue;
      const image = new Image();
      image.src = url;
      image.decode().catch(() => {}); // The tile itself says when a picture is missing.
      this._images.set(url, image);
    }
  }
}
