/** Past exports, and the one that is being made: live, to download again, to delete. */
import { $, el, fill, setText, thead } from "./dom.js";
import { api } from "./api.js";
import { FORMATS, bytes, filterWords } from "./export_words.js";
import { count } from "./format.js";
import { toast } from "./toast.js";

const LOOK_MS = 400;
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class ExportsList {
  /** @param {string} root of the project's REST routes @param {Map<string, string>} names of people */
  constructor(root, names) {
    this._root = root;
    this._names = names;
    this._rows = new Map();
    this._timer = 0;
    this._exports = [];
    // Somebody else may have made or deleted one meanwhile.
    addEventListener("focus", () => this.load().catch(() => {}));
  }

  /** Show the list as it is now, and go on looking while one is being made. */
  async load() {
    clearTimeout(this._timer);
    const before = new Map(this._exports.map((e) => [e.export_id, e.state]));
    this._exports = (await api("GET", `${this._root}/exports`)).exports;
    for (const e of this._exports) {
      const was = before.get(e.export_id);
      if (was && was !== e.state && e.state === "done") setText($("#past-said"), `The export is ready: ${count(e.items)} items.`);
    }
    this._draw();
    if (this._exports.some(moving)) this._timer = setTimeout(() => this.load().catch(() => this._later()), LOOK_MS);
  }

  _later() {
    this._timer = setTimeout(() => this.load().catch(() => this._later()), 5 * LOOK_MS);
  }

  _draw() {
    const table = $("#past");
    $("#past-none").hidden = this._exports.length > 0;
    table.hidden = !this._exports.length;
    if (!table.tHead) {
      const heads = ["Made", "By", "Format", "What", "Items", "Labeled", "Votes", "Size"];
      fill(table, thead(heads, { numbers: 4, actions: true }), el("tbody"));
    }
    // Rows stay the same elements while they do: whoever has a button in focus keeps it.
    const kept = new Map();
    for (const past of this._exports) {
      const key = `${past.export_id}/${past.state}`;
      const row = this._rows.get(key) ?? this._row(past);
      kept.set(key, row);
      const bar = row.querySelector("progress");
      if (bar) bar.value = past.progress;
    }
    this._rows = kept;
    fill(table.tBodies[0], ...kept.values());
  }

  _row(past) {
    const cell = (text) => el("td", { class: "num" }, text === null ? "" : text);
    const done = past.state === "done";
    const figures = done
      ? [cell(count(past.items)), cell(count(past.labeled)), cell(count(past.votes)), cell(bytes(past.bytes))]
      : [el("td", { colSpan: 4, class: past.state === "failed" ? "failed" : "" }, moving(past)
        ? el("progress", { max: 1, value: past.progress, "aria-label": past.state === "waiting" ? "Waits for its turn" : "Being made" })
        : past.error ?? past.state)];
    return el("tr", { dataset: { state: past.state } },
      el("td", {}, when.format(past.created_at)),
      el("td", {}, past.by ?? ""),
      el("td", {}, FORMATS[past.format] ?? past.format),
      el("td", { class: "past-filter" }, filterWords(past, this._names)),
      ...figures,
      el("td", {}, el("div", { class: "actions" },
        done && el("a", { class: "button", href: `${this._root}/exports/${past.export_id}/file`, download: "" }, "Download"),
        done && el("button", { class: "button quiet", type: "button", onclick: () => this._manifest(past) }, "Manifest"),
        el("button", { class: "button quiet danger", type: "button", onclick: () => this._delete(past) }, moving(past) ? "Stop" : "Delete"))));
  }

  async _manifest(past) {
    try {
      const whole = await api("GET", `${this._root}/exports/${past.export_id}`);
      setText($("#manifest-text"), JSON.stringify(whole.manifest, null, 2));
      $("#manifest").showModal();
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async _delete(past) {
    if (!moving(past) && !(await sure(past))) return;
    try {
      await api("DELETE", `${this._root}/exports/${past.export_id}`);
    } catch (error) {
      toast(error.message, "bad");
    }
    await this.load().catch((error) => toast(error.message, "bad"));
  }
}

function moving(past) {
  return past.state === "waiting" || past.state === "running";
}

function sure(past) {
  const dialog = $("#delete");
  setText($("#delete-text"), `${FORMATS[past.format] ?? past.format} of ${when.format(past.created_at)}. Nobody can come back to this version afterwards.`);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true }));
}
