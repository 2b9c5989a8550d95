/** A table whose rows change in place, so that nothing jumps or loses the focus when figures move. */
import { el, fill, setText } from "./dom.js";

const SORT_EVERY_MS = 5_000;

export class LiveTable {
  /**
   * @param {HTMLTableElement} table
   * @param {{head: string, class?: string, make?: (row: any) => Node, text?: (row: any) => string,
   *   update?: (cell: HTMLElement, row: any) => void}[]} columns `make` once for each row, `text`
   *   and `update` whenever it changes
   * @param {(row: any) => string} key
   */
  constructor(table, columns, key) {
    this._table = table;
    this._columns = columns;
    this._key = key;
    this._rows = new Map();
    this._body = el("tbody");
    this._sorted = 0;
    this._members = "";
  }

  /** @param {any[]} rows in the order to show; which is kept for a while */
  set(rows) {
    if (!this._body.isConnected) {
      fill(this._table, el("thead", {}, el("tr", {}, ...this._columns.map((c) => el("th", { class: c.class ?? "", scope: "col" }, c.head)))), this._body);
    }
    const keys = new Set(rows.map(this._key));
    for (const [key, row] of this._rows) {
      if (!keys.has(key)) {
        row.remove();
        this._rows.delete(key);
      }
    }
    for (const row of rows) this._update(row);
    const members = [...keys].sort().join();
    const now = Date.now();
    if (members !== this._members || now - this._sorted > SORT_EVERY_MS) this._sort(rows, members, now);
  }

  _update(data) {
    const key = this._key(data);
    let tr = this._rows.get(key);
    if (!tr) {
      tr = el("tr", { dataset: { key } }, ...this._columns.map((c) => el("td", { class: c.class ?? "" }, c.make?.(data))));
      this._rows.set(key, tr);
      this._body.append(tr);
    }
    tr.data = data;
    this._columns.forEach((column, i) => {
      if (column.text) setText(tr.children[i], column.text(data));
      column.update?.(tr.children[i], data);
    });
  }

  _sort(rows, members, now) {
    this._members = members;
    this._sorted = now;
    const wanted = rows.map((r) => this._rows.get(this._key(r)));
    // A row that has the focus, or an open menu in it, stays in the document while others move.
    wanted.forEach((tr, i) => {
      if (this._body.children[i] !== tr) this._body.insertBefore(tr, this._body.children[i] ?? null);
    });
  }
}
