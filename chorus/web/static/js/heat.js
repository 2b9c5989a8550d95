/** A table of cells coloured by their share, such as a confusion matrix. */
import { el, fill } from "./dom.js";

/**
 * @param {HTMLTableElement} table
 * @param {string[]} rows @param {string[]} columns
 * @param {(row: number, column: number) => {text: string, share: number, hue: string, href?: ?string, title?: string}} cell
 */
export function heat(table, rows, columns, cell) {
  fill(table,
    el("thead", {}, el("tr", {}, el("th", {}), ...columns.map((c) => el("th", { title: c, scope: "col" }, c)))),
    el("tbody", {}, ...rows.map((row, r) => el("tr", {}, el("th", { scope: "row" }, row), ...columns.map((_, c) => {
      const { text, share, hue, href, title } = cell(r, c);
      const inner = href ? el("a", { href, title }, text) : el("span", { title: title ?? "" }, text || "\u00a0");
      return el("td", { vars: { hue, share: `${Math.round(share * 100)}%` }, dataset: { strong: String(share > 0.6) } }, inner);
    })))));
}
