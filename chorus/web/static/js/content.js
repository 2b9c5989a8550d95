/**
 * What an item is, to be seen: a picture, or a text. Texts are put in as text and never as markup,
 * whatever they contain.
 */
import { el, fill, setText } from "./dom.js";
import { _ } from "./i18n.js";
import { errorWords } from "./words.js";
import { whole, withShapes } from "./shapes/thumb.js";
import { texts } from "./texts.js";

const AGAIN_MS = 3_000;
const AGAIN_MOST_MS = 60_000;
const SNIPPET_CHARS = 160;

/** The address of an item's text; null for a picture. */
export function textOf(item) {
  return item.text ?? null;
}

/**
 * A text to read, with its fields; `onShown` is called once it is there.
 * @param {string} url
 * @param {() => void} [onShown]
 */
export function reading(url, onShown = () => {}) {
  const node = el("div", { class: "reading" });
  whenThere(node, url, (fields) => {
    // One field alone needs no heading.
    const headed = fields.length > 1;
    fill(node, ...fields.map(([name, text]) =>
      el("section", {},
        headed && name ? el("h4", { dir: "auto" }, name) : null,
        el("p", { dir: "auto" }, text))));
    onShown();
  });
  return node;
}

/** Why a picture does not come, in the server's words. @param {string} url */
export async function whyMissing(url) {
  try {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) return errorWords((await answer.json()).error);
  } catch {
    // No connection, or an answer of somebody else.
  }
  return _("picture could not be loaded");
}

/**
 * When to ask again for what did not come: after a moment, then twice as long each time, and at once
 * when the browser is online again.
 */
class Patience {
  /** @param {() => void} ask */
  constructor(ask) {
    this._again = () => {
      this._stop();
      ask();
    };
    this._timer = 0;
    this.over();
  }

  /** It did not come. */
  wait() {
    this._stop();
    this._timer = setTimeout(this._again, this._ms);
    this._ms = Math.min(2 * this._ms, AGAIN_MOST_MS);
    addEventListener("online", this._again);
  }

  /** It came, or is wanted no more. */
  over() {
    this._stop();
    this._ms = AGAIN_MS;
  }

  _stop() {
    clearTimeout(this._timer);
    removeEventListener("online", this._again);
  }
}

/**
 * A picture that did not come is asked for again while it is still the one to show.
 * @param {HTMLImageElement} image @param {() => boolean} [wanted] is there still a place for it?
 */
export function keepAsking(image, wanted = () => image.isConnected) {
  let url = "";
  const patience = new Patience(() => {
    if (wanted() && image.src === url) image.src = url;
  });
  image.addEventListener("load", () => patience.over());
  image.addEventListener("error", () => {
    if (image.src !== url) patience.over();
    url = image.src;
    patience.wait();
  });
}

/**
 * A picture that does not come says why, where it would have been, until it does.
 * @param {HTMLImageElement} image
 */
export function sayWhyMissing(image) {
  keepAsking(image);
  let name = "";
  let why = "";
  image.addEventListener("error", async () => {
    const url = image.src;
    const found = await whyMissing(url);
    if (image.src !== url || image.naturalWidth) return;
    if (image.alt !== why) name = image.alt;
    why = found;
    image.alt = why;
  });
  image.addEventListener("load", () => {
    if (why && image.alt === why) image.alt = name;
  });
}

/**
 * An item small: its thumbnail, with what is drawn on it, or the beginning of its text.
 * @param {any} item @param {Record<string, any>} [props] of a picture
 * @param {?{shapes: object[], colors: (name: string) => Record<string, string>, whole?: boolean}} [drawn]
 *   `whole`: the frame shows all of the picture, and is not filled by it
 */
export function preview(item, props = {}, drawn = null) {
  const url = textOf(item);
  if (url === null) {
    const image = el("img", { src: item.thumb, alt: "", loading: "lazy", ...props });
    keepAsking(image);
    if (!drawn?.shapes.length) return image;
    const holder = withShapes(image, item, drawn.shapes, drawn.colors);
    return drawn.whole ? whole(holder) : holder;
  }
  const node = el("span", { class: "snippet", dir: "auto" });
  const show = () => whenThere(node, url, (fields) => setText(node, snippet(fields)));
  if (texts.get(url)) show();
  else whenNear(node, show);
  return node;
}

/** @param {[string, string][]} fields */
function snippet(fields) {
  return fields.map(([, text]) => text.slice(0, SNIPPET_CHARS)).join(" · ").slice(0, SNIPPET_CHARS);
}

/** As pictures do it with `loading="lazy"`: fetched when it is about to be seen. */
function whenNear(node, run) {
  waiting.set(node, run);
  near.observe(node);
}

const waiting = new WeakMap();
const near = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    waiting.get(target)?.();
  }
}, { rootMargin: "400px" });

/** Show at once what is here; what is not comes later, asked for again while the node is in the page. */
function whenThere(node, url, show) {
  const here = texts.get(url);
  if (here) {
    show(here);
    return;
  }
  const patience = new Patience(() => node.isConnected && ask());
  const ask = () => {
    node.dataset.state = "coming";
    texts.load(url).then(
      (fields) => {
        node.dataset.state = "";
        show(fields);
      },
      (error) => {
        node.dataset.state = "missing";
        setText(node, _("This text could not be loaded: %(why)s", { why: error.message }));
        patience.wait();
      },
    );
  };
  ask();
}
