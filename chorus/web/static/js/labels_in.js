/** Labels from elsewhere: a file is looked through, its findings are shown, and then it lands. */
import { $, el, fill, onDrop, setText, thead } from "./dom.js";
import { api, decode, offline } from "./api.js";
import { showError, valuesOf } from "./form.js";
import { count, plural } from "./format.js";
import { uuid } from "./ids.js";
import { KINDS, countRows, headline, leftOut } from "./labels_words.js";
import { toast } from "./toast.js";

const LOOK_MS = 300;
const MOVING = ["checking", "landing"];
const STATES = { ready: "waits for you", failed: "failed", checking: "is looked through", landing: "goes in" };
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class LabelsIn {
  /** @param {string} root of the project's REST routes */
  constructor(root) {
    this._root = `${root}/label-imports`;
    this._bulks = `${root}/bulks`;
    this._form = $("#labels-form");
    this._file = null;
    this._shown = null;
    this._timer = 0;
    this._listen();
  }

  _listen() {
    const input = $("#labels-file");
    input.addEventListener("change", () => this._choose(input.files[0] ?? null));
    onDrop($("#labels-drop"), ({ files }) => this._choose(files[0] ?? null));
    this._form.addEventListener("change", () => this._offer());
    this._form.addEventListener("submit", (event) => {
      event.preventDefault();
      this._begin();
    });
    $("#result-apply").addEventListener("click", () => this._apply());
    $("#result-undo").addEventListener("click", () => this._undo());
    $("#result-close").addEventListener("click", () => this._close());
    this._offer();
  }

  _choose(file) {
    this._file = file;
    setText($("#labels-name"), file ? file.name : "");
    $("[type=submit]", this._form).disabled = !file;
  }

  _offer() {
    const kind = this._form.elements.kind.value;
    const person = document.querySelector("#labels-person");
    if (person) person.hidden = kind !== "votes";
    $("#labels-blind").hidden = kind === "prelabels";
  }

  async _begin() {
    const values = valuesOf(this._form);
    this._form.querySelector(".error")?.remove();
    const options = {
      kind: values.kind,
      existing: values.replace ? "replace" : "keep",
      blind: values.kind !== "prelabels" && values.blind,
    };
    if (values.kind === "votes" && values.person) options.person = values.person;
    const body = new FormData();
    body.append("options", JSON.stringify(options));
    body.append("file", this._file, this._file.name);
    const button = $("[type=submit]", this._form);
    button.disabled = true;
    try {
      const response = await fetch(this._root, { method: "POST", body, credentials: "same-origin" }).catch(() => {
        throw offline();
      });
      this._show(decode(response.status, await response.text()));
      $("#labels-result").focus();
    } catch (error) {
      showError(this._form, error);
    } finally {
      button.disabled = false;
    }
  }

  async _follow(id) {
    clearTimeout(this._timer);
    try {
      this._show(await api("GET", `${this._root}/${id}`));
    } catch (error) {
      if (!error.retry) return void toast(error.message, "bad");
      this._timer = setTimeout(() => this._follow(id), 5 * LOOK_MS);
    }
  }

  _show(one) {
    const before = this._shown;
    this._shown = one;
    $("#labels-result").hidden = false;
    setText($("#result-title"), `${one.file}, as ${KINDS[one.kind]}`);
    const moving = MOVING.includes(one.state);
    $("#result-bar").hidden = !moving;
    $("#result-bar").value = one.progress;
    setText($("#result-said"), headline(one));
    $("#result-said").dataset.tone = one.state === "failed" ? "bad" : "";
    fill($("#result-counts"), el("tbody", {}, ...countRows(one).map(([text, n]) => el("tr", {}, el("td", {}, text), el("td", {}, count(n))))));
    if (before?.import_id !== one.import_id || before?.state !== one.state) this._choices(one);
    fill($("#result-faults"), one.errors?.length
      ? el("table", { class: "table" },
        thead(["Where", "What", "Why not"]),
        el("tbody", {}, ...one.errors.map((e) => el("tr", {}, el("td", {}, e.place), el("td", {}, e.name), el("td", {}, e.reason)))))
      : null);
    $("#result-undo").hidden = !(one.state === "done" && one.kind === "labels" && one.done > 0);
    const close = $("#result-close");
    close.hidden = one.state === "landing";
    setText(close, one.state === "ready" ? "Discard" : one.state === "checking" ? "Stop" : "Close");
    this._ready();
    if (moving) this._timer = setTimeout(() => this._follow(one.import_id), LOOK_MS);
    else if (before?.state !== one.state) this.load().catch(() => {});
  }

  /** What may be done so that it can go in. */
  _choices(one) {
    const box = $("#result-choices");
    if (one.state !== "ready") return void fill(box);
    const { summary } = one;
    const choice = (name, text) => el("label", { class: "check" }, el("input", { type: "checkbox", name, onchange: () => this._ready() }), text);
    const classes = Object.keys(summary.unknown_classes);
    const people = Object.keys(summary.unknown_people);
    fill(box,
      classes.length > 0 && choice("add_classes", `Make ${plural(classes.length, "new class", "new classes")}: ${classes.slice(0, 12).join(", ")}${classes.length > 12 ? " …" : ""}`),
      people.length > 0 && choice("add_people", `Let in ${plural(people.length, "person", "people")} as labelers: ${people.slice(0, 12).join(", ")}${people.length > 12 ? " …" : ""}`),
      (summary.unmatched + summary.faulty > 0 || classes.length > 0 || people.length > 0) && choice("leave_out", "Leave out what cannot be used"));
  }

  _allowed() {
    const out = {};
    for (const box of $("#result-choices").querySelectorAll("input")) out[box.name] = box.checked;
    return out;
  }

  _ready() {
    const one = this._shown;
    const button = $("#result-apply");
    button.hidden = one?.state !== "ready";
    if (button.hidden) return;
    const how = this._allowed();
    const n = one.total - (how.add_classes ? 0 : one.summary.classes) - (how.add_people ? 0 : one.summary.people);
    button.disabled = n === 0 || (leftOut(one, how) > 0 && !how.leave_out);
    setText(button, n === 0 ? "Nothing to bring in" : `Bring in ${count(n)}`);
  }

  async _apply() {
    try {
      this._show(await api("POST", `${this._root}/${this._shown.import_id}/apply`, this._allowed()));
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async _undo() {
    try {
      await api("POST", this._bulks, { bulk_id: uuid(), undoes: this._shown.import_id });
      $("#result-undo").hidden = true;
      setText($("#result-said"), "They are being taken back. What was decided since stays.");
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async _close() {
    const one = this._shown;
    clearTimeout(this._timer);
    if (one.state === "ready" || one.state === "checking") {
      await api("DELETE", `${this._root}/${one.import_id}`).catch((error) => toast(error.message, "bad"));
    }
    this._shown = null;
    $("#labels-result").hidden = true;
    await this.load().catch(() => {});
    $("#labels-file").focus();
  }

  /** Past ones; one that waits or lands is shown. */
  async load() {
    const { imports } = await api("GET", this._root);
    $("#brought-none").hidden = imports.length > 0;
    const table = $("#brought");
    table.hidden = !imports.length;
    fill(table,
      thead(["When", "By", "File", "As", "Outcome"], { actions: true }),
      el("tbody", {}, ...imports.map((one) => el("tr", {},
        el("td", {}, when.format(one.created_at)), el("td", {}, one.by ?? ""), el("td", {}, one.file), el("td", {}, KINDS[one.kind]),
        el("td", {}, one.state === "done" ? `${count(one.done)} brought in` : STATES[one.state] ?? one.state),
        el("td", { class: "num" }, el("button", { class: "button quiet", type: "button", onclick: () => this._follow(one.import_id) }, "Show"))))));
    const landing = imports.find((one) => MOVING.includes(one.state));
    if (landing && !this._shown) this._follow(landing.import_id);
  }
}
