/** The grid of pictures or texts: draws a page's state, reports clicks. */
import { ICONS, el, fill, icon, setText, setVars } from "./dom.js";
import { answerChips, colorsOf, wordOf } from "./chips.js";
import { keepAsking, reading, textOf, whyMissing } from "./content.js";
import { isOdd } from "./page_state.js";
import { verdictWords } from "./page_words.js";
import { classesOf, wordsOf } from "./task.js";
import { _, ngettext } from "./i18n.js";
import { pictureOf } from "./preload.js";
import { arrange, sizeFor } from "./text_layout.js";

/** Small pictures are shown larger, but not as a blur. */
const ENLARGE_MOST = 3;
const SCROLL_SHARE = 0.85;
const LINES = 2;
/** Above and below a text inside its card, and between cards. */
const AROUND_PX = 20;
/** So many texts say what the next ones will be like; this share of them is to fit. */
const AREAS_KEPT = 36;
const ORDINARY = 0.75;

export class Grid {
  /**
   * @param {HTMLElement} root the list element
   * @param {import("./task.js").Task} task
   * @param {{focus: (id: number) => void, toggle: (id: number) => void,
   *   said: (words: string) => void, zoom: (id: number) => void, comment: (id: number) => void, untag: (id: number, name: string) => void,
   *   arranged: () => void}} on `arranged`: texts have got their places; `said`: what one item is said
   *   to be now, for those who do not see it
   * @param {(name: string) => Record<string, string>} colors
   */
  constructor(root, task, on, colors) {
    this._root = root;
    this._task = task;
    this._on = on;
    this._colors = colors;
    /** @type {Map<number, any>} */
    this._tiles = new Map();
    this._page = null;
    this._focus = null;
    /** @type {?number} the item that a pointer is on: what moves under a finger is not hit twice */
    this._pointed = null;
    /** @type {Map<number, number>} room that a text took, in squares of its letters' height */
    this._areas = new Map();
    root.dataset.of = task.thing;
    if (task.text) new ResizeObserver(() => this.arrange()).observe(root);
  }

  /**
   * @param {?import("./page_state.js").PageState} page
   * @param {(id: number) => {n: number, unread: number}} [written] about an item
   */
  render(page, written = () => ({ n: 0, unread: 0 })) {
    this._written = written;
    this._root.hidden = page === null;
    if (page === null) {
      this._page = null;
      this._focus = null;
      return;
    }
    const before = new Map([...this._tiles].map(([id, tile]) => [id, tile.said]));
    const key = `${page.page_id}/${page.correcting}/${page.items.map((i) => i.item_id)}`;
    if (this._page !== key) {
      this._page = key;
      this._build(page);
    }
    page.items.forEach((item, index) => this._draw(page, item, index));
    const answered = page.items.filter(({ item_id: id }) => before.has(id) && before.get(id) !== "" && before.get(id) !== this._tiles.get(id).said);
    // Of many at once the line above the items says enough.
    if (answered.length === 1) this._on.said(this._tiles.get(answered[0].item_id).node.getAttribute("aria-label"));
    const focus = page.items[page.focus]?.item_id ?? null;
    if (focus !== this._focus && focus !== this._pointed) this._reveal(focus);
    this._focus = focus;
    this._pointed = null;
  }

  /**
   * Bring an item into view where not all of them fit: on a phone, or on a page enlarged by the browser.
   * Nobody is to answer what they do not see.
   */
  _reveal(id) {
    this._tiles.get(id)?.node.scrollIntoView({ block: "nearest" });
  }

  /** Give the focused tile the keyboard, unless the person is in some other control. */
  takeKeyboard(page) {
    const tile = this._tiles.get(page.items[page.focus]?.item_id);
    const active = document.activeElement;
    if (!tile || active === tile.node) return;
    const free = active === document.body || active === null || this._root.contains(active);
    if (free) tile.node.focus({ preventScroll: true });
  }

  /** How many columns there are on the screen. */
  get columns() {
    return getComputedStyle(this._root).gridTemplateColumns.split(" ").length;
  }

  /** Has the grid, and no other control, the keyboard? */
  get hasKeyboard() {
    return document.activeElement === document.body || this._root.contains(document.activeElement);
  }

  /** Texts: find the columns anew; letters, room or words have changed. */
  arrange() {
    const bodies = this._bodies();
    if (!bodies.length || this._root.hidden || !this._root.clientWidth) return;
    arrange(this._root, bodies, this._em());
    for (const body of bodies) more(body);
    this._on.arranged();
  }

  /**
   * Texts: how many would fit on a page, by those seen last; null where that cannot be said.
   * @param {number[]} sizes ascending
   */
  roomFor(sizes) {
    const bodies = this._bodies();
    if (!bodies.length || bodies.some((b) => !b.firstChild?.firstChild)) return null;
    const em = this._em();
    for (const [id, { body }] of this._tiles) {
      this._areas.delete(id);
      const { offsetWidth, offsetHeight } = body.firstChild;
      this._areas.set(id, (offsetWidth * offsetHeight) / em ** 2);
    }
    for (const id of [...this._areas.keys()].slice(0, -AREAS_KEPT)) this._areas.delete(id);
    const areas = [...this._areas.values()].sort((a, b) => a - b);
    // A text much longer than the others scrolls; it does not make the page small.
    const area = areas[Math.floor(areas.length * ORDINARY)] * em ** 2;
    const foot = bodies[0].closest(".tile").offsetHeight - bodies[0].clientHeight + AROUND_PX;
    // Where the whole page scrolls, as on a phone, two screens are not too long.
    const scrolls = getComputedStyle(this._root).overflowY === "visible";
    const room = { width: this._root.clientWidth, height: scrolls ? 2 * innerHeight : this._root.clientHeight };
    return sizeFor(room, area, foot, em, sizes);
  }

  /** Scroll the text in focus by a page or, `lines`, by a few lines. */
  read(by, lines = false) {
    const body = this._tiles.get(this._focus)?.body;
    if (!body) return;
    const step = lines ? LINES * 1.6 * this._em() : SCROLL_SHARE * body.clientHeight;
    body.scrollBy({ top: by * step });
  }

  _bodies() {
    return [...this._tiles.values()].map((t) => t.body).filter(Boolean);
  }

  _em() {
    return Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--reading")) || 16;
  }

  _build(page) {
    this._tiles = new Map(page.items.map((i) => [i.item_id, this._tile(page, i)]));
    setVars(this._root, {
      columns: page.columns,
      rows: Math.ceil(page.items.length / page.columns),
    });
    this._root.dataset.count = String(page.items.length);
    fill(this._root, ...[...this._tiles.values()].map((t) => t.node));
    if (this._task.text) this.arrange();
  }

  _tile(page, item) {
    const id = item.item_id;
    const [content, body] = textOf(item) === null ? [this._picture(page, item), null] : this._text(item);
    const select = this._tool("tile-select", _("Select"), _("Select"), ICONS.check, () => this._on.toggle(id));
    const zoom = this._tool("tile-zoom", _("Zoom"), _("Zoom"), ICONS.zoom, () => this._on.zoom(id));
    const comment = this._tool("tile-comment", _("Comments"), _("Comments"), ICONS.comment, () => this._on.comment(id));
    const chips = el("span", { class: "chips" });
    const odd = el("span", { class: "tile-odd" }, _("looks different"));
    const settled = el("span", { class: "tile-settled" }, _("new: the other was settled by colleagues"));
    const verdict = el("div", { class: "tile-verdict", hidden: true });
    const node = el(
      "li",
      {
        class: "tile",
        dataset: { item: String(id) },
        tabIndex: -1,
        onclick: () => {
          this._pointed = id;
          this._on.focus(id);
        },
        // A double click in a text marks a word.
        ondblclick: () => body === null && this._on.zoom(id),
      },
      content,
      select,
      comment,
      zoom,
      verdict,
      el("div", { class: "tile-foot" }, chips, odd, settled),
    );
    return { node, body, chips, odd, settled, verdict, select, comment, drawn: "", said: "" };
  }

  _picture(page, item) {
    const image = el("img", {
      alt: "",
      draggable: false,
      decoding: "sync",
      src: pictureOf(item, page.items.length),
    });
    setVars(image, { most: `${Math.max(item.width, 1) * ENLARGE_MOST}px` });
    const broken = el("span", { class: "tile-broken" }, _("picture could not be loaded"));
    keepAsking(image);
    image.addEventListener("error", async () => {
      image.closest(".tile").dataset.broken = "true";
      setText(broken, await whyMissing(image.src));
    });
    image.addEventListener("load", () => delete image.closest(".tile").dataset.broken);
    return el("div", { class: "tile-picture" }, image, broken);
  }

  _text(item) {
    const body = el("div", { class: "tile-body", onscroll: () => more(body) });
    body.append(reading(item.text, () => this._root.contains(body) && this.arrange()));
    return [el("div", { class: "tile-text" }, body, el("span", { class: "tile-more", "aria-hidden": "true" }, _("more below"))), body];
  }

  _tool(name, label, title, path, run) {
    return el("button", {
      type: "button", class: name, tabIndex: -1, title, "aria-label": label,
      onclick: (e) => {
        e.stopPropagation();
        run();
      },
      onmousedown: (e) => e.preventDefault(),
    }, icon(path));
  }

  _draw(page, item, index) {
    const tile = this._tiles.get(item.item_id);
    const answer = page.answers[item.item_id];
    const focused = index === page.focus;
    const selected = page.selected.includes(item.item_id);
    const odd = isOdd(item) && page.kind === "clustered";
    const written = this._written(item.item_id);
    const told = page.verdicts && [page.verdicts[item.item_id] ?? null];
    const drawn = JSON.stringify([answer, focused, selected, odd, page.settled, index, written, told]);
    if (tile.drawn === drawn) return;
    tile.drawn = drawn;
    const { node } = tile;
    node.tabIndex = focused ? 0 : -1;
    node.dataset.focused = String(focused);
    node.dataset.selected = String(selected);
    node.dataset.answered = String(Boolean(answer));
    node.dataset.by = answer?.by ?? "";
    node.dataset.odd = String(odd);
    tile.odd.hidden = !odd || Boolean(answer);
    tile.settled.hidden = !page.settled.includes(item.item_id) || Boolean(answer);
    tile.select.setAttribute("aria-pressed", String(selected));
    tile.comment.dataset.unread = String(written.unread > 0);
    if (written.n) tile.comment.dataset.n = String(written.n);
    else delete tile.comment.dataset.n;
    if (focused) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
    this._chips(tile, item, answer);
    const judged = told ? this._verdict(tile, told[0]) : "";
    tile.verdict.hidden = !told;
    const said = answer ? _("answered %(answer)s", { answer: wordOf(answer) }) : _("no answer yet");
    const place = { n: index + 1 };
    node.setAttribute("aria-label", [
      this._task.text ? _("Text %(n)s", place) : _("Picture %(n)s", place),
      said,
      judged,
      answer?.by === "model" && _("by the model"),
      selected && _("selected"),
      odd && _("looks different"),
      written.n && ngettext("%(n)s comment", "%(n)s comments", written.n),
    ].filter(Boolean).join(", "));
  }

  /** Right or wrong, and why; returns it in words. */
  _verdict(tile, verdict) {
    const [tone, words] = verdictWords(verdict, verdict?.answer ? wordsOf(classesOf(verdict.answer)) : "");
    tile.node.dataset.verdict = tone;
    fill(tile.verdict, el("b", {}, words), verdict?.note && el("span", { class: "tile-note" }, verdict.note));
    return [words, verdict?.note].filter(Boolean).join(". ");
  }

  _chips(tile, item, answer) {
    const said = JSON.stringify(answer ?? null);
    if (tile.said === said) return;
    tile.said = said;
    const { node, chips } = tile;
    if (!answer) {
      fill(chips);
      node.style.removeProperty("--c");
      return;
    }
    setVars(node, colorsOf(answer, this._colors));
    const remove = this._task.multi ? (name) => this._on.untag(item.item_id, name) : null;
    fill(chips, ...answerChips(answer, item.prelabel, this._colors, remove));
    // Chips in two rows leave less room for the text.
    if (tile.body) more(tile.body);
  }
}

/** Say on a text's card that it goes on below. */
function more(body) {
  const left = body.scrollHeight - body.scrollTop - body.clientHeight;
  body.parentElement.dataset.more = String(left > 4);
}
