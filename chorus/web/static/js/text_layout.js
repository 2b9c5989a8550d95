/**
 * How a page of texts is laid out: in as many columns as hide the least of them, and with as many
 * texts as their heights allow.
 */
import { setVars } from "./dom.js";

/** A column is at least so many times as wide as its letters are high. */
const NARROWEST_EM = 16;
const COLUMNS_MOST = 3;
/** Less than this is a descender or a rounding, not a hidden line. */
const SLACK_PX = 4;
/** Three lines. */
const LEAST_EM = 4.65;
/** What a card has above and below its text. */
const AROUND_PX = 58;
/** What a card has beside its text, and the gap to the next. */
const SIDES_PX = 40;
/** A line or two to scroll here and there is better than a page half empty: sizes are far apart. */
const CROWDED = 1.2;

/** How many columns there may be. */
export function columnsMost(width, em, count) {
  return Math.max(1, Math.min(COLUMNS_MOST, count, Math.floor(width / (NARROWEST_EM * em))));
}

/**
 * Lay the cards of `root` out. Of equally good ways the one with fewer columns is taken: its lines
 * are longer, and it reads like a page.
 * @param {HTMLElement} root
 * @param {HTMLElement[]} bodies the scrolling part of each card
 * @param {number} em height of the letters in px
 */
export function arrange(root, bodies, em) {
  const most = columnsMost(root.clientWidth, em, bodies.length);
  let best = { columns: 1, hidden: Infinity };
  for (let columns = 1; columns <= most; columns++) {
    place(root, columns, bodies, em);
    // Below the cards' own ends, and below the end of the page: there in every column.
    const inside = bodies.reduce((sum, b) => sum + Math.max(0, b.scrollHeight - b.clientHeight - SLACK_PX), 0);
    const below = Math.max(0, root.scrollHeight - root.clientHeight - SLACK_PX);
    const hidden = inside + below * columns;
    if (hidden < best.hidden) best = { columns, hidden };
    if (best.hidden === 0) break;
  }
  place(root, best.columns, bodies, em);
}

function place(root, columns, bodies, em) {
  setVars(root, { columns, rows: Math.ceil(bodies.length / columns) });
  root.dataset.columns = String(columns);
  // However many there are, some lines of each can be read; rather the whole page scrolls.
  const tallest = Math.max(...bodies.map((b) => b.firstChild.offsetHeight));
  setVars(root, { least: `${Math.min(LEAST_EM * em, tallest) + AROUND_PX}px` });
}

/**
 * The largest page whose texts fit, or nearly so, going by those just read; 1 where not even one
 * would. A text keeps its area, whatever the column's width.
 * @param {{width: number, height: number}} room of the page in px
 * @param {number} area of an ordinary text, in px²
 * @param {number} foot what each card has around its text, in px
 * @param {number} em @param {number[]} sizes ascending
 */
export function sizeFor({ width, height }, area, foot, em, sizes) {
  const fits = (size) => {
    for (let columns = 1; columns <= columnsMost(width, em, size); columns++) {
      const each = area / (width / columns - SIDES_PX) + foot;
      if (Math.ceil(size / columns) * each <= height * CROWDED) return true;
    }
    return false;
  };
  return sizes.filter(fits).at(-1) ?? sizes[0];
}
