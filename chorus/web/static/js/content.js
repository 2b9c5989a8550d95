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
 * A picture that did not come is asked for again: after a moment, then twice as long each time, and
 * at once when the browser is online again, while it is still the one to show.
 * @param {HTMLImageElement} image @param {() => boolean} [wanted] is there still a place for it?
 */
export function keepAsking(image, wanted = () => image.isConnected) {
  let url = "";
  let wait = AGAIN_MS;
  let timer = 0;
  const stop = () => {
    clearTimeout(timer);
    removeEventListener("online", again);
  };
  const again = () => {
    stop();
    if (wanted() && image.src === url) image.src = url;
  };
  image.addEventListener("load", () => {
    stop();
    url = "";
  });
  image.addEventListener("error", () => {
    stop();
    wait = image.src === url ? Math.min(2 * wait, AGAIN_MOST_MS) : AGAIN_MS;
    url = image.src;
    timer = setTimeout(again, wait);
    addEventListener("online", again);
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

/** Show at once what is here; what is not comes later, tried again while the node is in the page. */
function whenThere(node, url, show) {
  const here = texts.get(url);
  if (here) {
    show(here);
    return;
  }
  node.dataset.state = "coming";
  texts.load(url).then(
    (fields) => {
      node.dataset.state = "";
      show(fields);
    },
    (error) => {
      node.dataset.state = "missing";
      setText(node, _("This text could not be loaded: %(why)s", { why: error.message }));
      setTimeout(() => node.isConnected && whenThere(node, url, show), AGAIN_MS);
    },
  );
}
