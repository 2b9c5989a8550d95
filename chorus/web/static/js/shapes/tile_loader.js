/** The sharp pieces of a large picture, laid over the whole one as they come. */
import { tilesFor } from "./tiles.js";

const { Konva } = /** @type {any} */ (window);
/** A tile is four bytes a pixel once it is decoded. */
const KEPT = 40;
const SETTLE_MS = 120;

export class Tiles {
  /** @param {any} layer of Konva, that the whole picture is on */
  constructor(layer) {
    this._layer = layer;
    this._root = null;
    this._size = { width: 1, height: 1 };
    /** @type {Map<string, any>} by address, those used last at the end */
    this._nodes = new Map();
    this._timer = 0;
  }

  /** @param {?string} root address of the picture's tiles; null: it has none */
  of(root, size) {
    for (const node of this._nodes.values()) node.destroy();
    this._nodes.clear();
    this._root = root;
    this._size = size;
  }

  /** Fetch what is seen, once the picture stands still for a moment. */
  show(view, room) {
    clearTimeout(this._timer);
    if (this._root === null) return;
    this._timer = setTimeout(() => this._fetch(view, room), SETTLE_MS);
  }

  _fetch(view, room) {
    const wanted = tilesFor(this._size, view, room, window.devicePixelRatio || 1);
    for (const tile of wanted) {
      const url = `${this._root}/${tile.level}/${tile.column}/${tile.row}`;
      const node = this._nodes.get(url) ?? this._load(url, tile);
      this._nodes.delete(url);
      this._nodes.set(url, node);
      // The sharper lie on the coarser.
      node.visible(true);
    }
    const keep = Math.max(KEPT, wanted.length);
    for (const [url, node] of [...this._nodes].slice(0, -keep)) {
      node.destroy();
      this._nodes.delete(url);
    }
    const levels = [...this._nodes.values()].sort((a, b) => b.getAttr("level") - a.getAttr("level"));
    for (const node of levels) node.moveToTop();
  }

  _load(url, { level, box: [x, y, width, height] }) {
    const node = new Konva.Image({
      image: undefined, x, y, width, height, level, listening: false, perfectDrawEnabled: false,
    });
    this._layer.add(node);
    const image = new Image();
    image.addEventListener("load", () => node.getLayer() && node.image(image));
    // Without it the whole picture is seen there, not as sharp.
    image.addEventListener("error", () => {
      this._nodes.delete(url);
      node.destroy();
    });
    image.src = url;
    return node;
  }
}

