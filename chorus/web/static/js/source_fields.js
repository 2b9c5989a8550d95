/** The fields of a data source, in whichever form they are: which are in use, and what they say. */
import { el, fill, setText } from "./dom.js";
import { valuesOf } from "./form.js";

const SECRETS = ["access_key", "secret_key", "session_token", "service_account", "account_key", "sas_token"];
const EVERY = [["", "only on request"], ["5", "every 5 minutes"], ["15", "every 15 minutes"], ["60", "every hour"],
  ["360", "every 6 hours"], ["1440", "every day"], ["10080", "every week"]];
const KINDS = { s3: "s3", s3a: "s3", gs: "gs", gcs: "gs", az: "az", abfs: "az", abfss: "az", file: "file" };

/** @param {?number} minutes chosen now */
export function choices(minutes) {
  const now = minutes === null ? "" : String(minutes);
  const known = EVERY.some(([value]) => value === now) ? EVERY : [...EVERY, [now, `every ${now} minutes`]];
  return known.map(([value, name]) => el("option", { value, selected: value === now }, name));
}

/** What a test has found. @param {HTMLElement} node @param {{ok: boolean, message: string, examples: string[]}} answer */
export function tell(node, answer) {
  node.hidden = false;
  node.className = answer.ok ? "good" : "error";
  setText(node, `${answer.message}${answer.examples.length ? ` The first: ${answer.examples.slice(0, 3).join(", ")}` : ""}`);
}

export class SourceFields {
  /** @param {HTMLFormElement} form @param {string} [prefix] before the fields' names @param {ParentNode} [part] of the page that has them */
  constructor(form, prefix = "", part = form) {
    this._form = form;
    this._prefix = prefix;
    this._part = part;
    this.reset();
    this._field("url").addEventListener("input", () => this.fit());
  }

  _field(name) {
    return this._form.elements[this._prefix + name];
  }

  get kind() {
    const scheme = /^(\w+):\/\//.exec(this._field("url").value.trim())?.[1].toLowerCase() ?? "s3";
    return KINDS[scheme] ?? "s3";
  }

  /** Show what this kind of place needs. */
  fit() {
    for (const part of this._part.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(this.kind);
  }

  /** Back to how often it is usually read. */
  reset(minutes = 60) {
    fill(this._field("every_minutes"), ...choices(minutes));
    this.fit();
  }

  _values() {
    const all = Object.entries(valuesOf(this._form)).filter(([name]) => name.startsWith(this._prefix));
    return Object.fromEntries(all.map(([name, value]) => [name.slice(this._prefix.length), value]));
  }

  _inUse(values, name) {
    return values[name] && !this._field(name).closest("[data-for][hidden]");
  }

  /** Without what is secret. */
  place() {
    const values = this._values();
    const body = { url: values.url, every_minutes: Number(values.every_minutes) || null };
    if (values.name !== undefined) body.name = values.name;
    if (values.mode) body.mode = values.mode;
    for (const name of ["endpoint", "region", "account"]) if (this._inUse(values, name)) body[name] = values[name];
    return body;
  }

  credentials() {
    const values = this._values();
    return this.kind === "file" ? {} : Object.fromEntries(SECRETS.filter((name) => this._inUse(values, name)).map((name) => [name, values[name]]));
  }

  /** Fill in what is known. @param {any} place */
  write(place) {
    for (const name of ["url", "endpoint", "region", "account", "mode"]) if (place[name] && this._field(name)) this._field(name).value = place[name];
    this.reset(place.every_minutes === undefined ? 60 : place.every_minutes);
  }
}
