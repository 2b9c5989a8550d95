/** One labeler: what they see now, live, and what a supervisor can do about it. */
import { $, el, fill, setText } from "./dom.js";
import { ago, count, percent, plural } from "./format.js";
import { classesOf, wordsOf } from "./task.js";
import { toast } from "./toast.js";

const AGAIN_MS = 400;

export class PersonDialog {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(type: string, body: any) => Promise<any>} ask
   * @param {import("./message.js").MessageForm} message
   */
  constructor(dialog, ask, message) {
    this._dialog = dialog;
    this._ask = ask;
    this._who = null;
    this._current = null;
    this._timer = 0;
    $("#person-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => { this._who = null; });
    $("#person-take").addEventListener("click", () => this._take());
    $("#person-pause").addEventListener("click", () => this._pause());
    $("#person-message").addEventListener("click", () => message.open(this._who));
  }

  /** @param {any} who of the Stats @param {boolean} past the dashboard shows another time */
  open(who, past) {
    if (past) return;
    this._who = who;
    this._current = null;
    fill($("#person-pages"));
    this._figures();
    this._dialog.showModal();
    this._load();
  }

  /** Newer figures. @param {any[]} people */
  people(people) {
    if (!this._who) return;
    this._who = people.find((p) => p.user_id === this._who.user_id) ?? this._who;
    this._figures();
  }

  /** @param {string[]} people who has done something, or had something done to them */
  follow(people) {
    if (this._who && people.includes(this._who.user_id) && !this._timer) {
      this._timer = setTimeout(() => this._load(), AGAIN_MS);
    }
  }

  _figures() {
    const p = this._who;
    setText($("#person-title"), p.name);
    const state = $("#person-state");
    state.dataset.tone = p.paused ? "warn" : p.here ? "good" : "";
    setText(state, p.paused ? "paused" : p.here ? "here" : "away");
    const agreement = p.compared ? `, ${percent(p.agreed / p.compared, 0)} like the label` : "";
    setText($("#person-figures"), `${plural(p.labels, "label")}, ${count(Math.round(p.per_hour))} an hour now${agreement}; last vote ${ago(p.last_at)}`);
    setText($("#person-pause"), p.paused ? "Let them go on" : "Pause");
  }

  async _load() {
    clearTimeout(this._timer);
    this._timer = 0;
    const who = this._who;
    if (!who) return;
    try {
      const found = await this._ask("person.pages", { user_id: who.user_id });
      if (this._who?.user_id === who.user_id) this._pages(found.pages);
    } catch (error) {
      if (error.code) toast(error.message, "bad");
    }
  }

  _pages(pages) {
    const open = pages.filter((page) => page.items.some((i) => !i.vote));
    const [current, ...ahead] = open;
    this._current = current ?? null;
    $("#person-take").disabled = !current;
    const words = ahead.length ? `${plural(ahead.length, "more page")} waiting in their browser.` : "";
    fill($("#person-pages"),
      current ? el("p", { class: "small" }, "Sees a ", el("span", { class: "chip-plain", dataset: { kind: current.kind } }, current.kind), ` page of ${current.items.length}. ${words}`)
        : el("p", { class: "muted" }, "Holds no page."),
      current ? el("ul", { class: "person-page", dataset: { page: String(current.page_id) } }, ...current.items.map(shown)) : null);
  }

  async _take() {
    const { name, user_id } = this._who;
    if (!this._current) return;
    await this._do($("#person-take"), "person.take_page", { user_id, page_id: this._current.page_id },
      (done) => `${plural(done.items, "item")} taken back from ${name}, who gets another page.`);
    this._load();
  }

  async _pause() {
    const { name, user_id, paused } = this._who;
    await this._do($("#person-pause"), "person.pause", { user_id, paused: !paused },
      () => (paused ? `${name} gets pages again.` : `${name} is paused; what they held went back.`));
    this._load();
  }

  async _do(button, type, body, words) {
    button.disabled = true;
    try {
      toast(words(await this._ask(type, body)), "good");
    } catch (error) {
      toast(error.message || "No connection: nothing was changed. Try again when you are back.", "bad");
    } finally {
      button.disabled = false;
    }
  }
}

function shown(item) {
  const picture = item.thumb
    ? el("img", { src: item.thumb, alt: item.name, loading: "lazy" })
    : el("span", { class: "person-text" }, item.name);
  const answer = item.vote ? (item.vote.kind === "label" ? wordsOf(classesOf(item.vote.value)) : item.vote.kind) : "";
  return el("li", { dataset: { answered: String(Boolean(item.vote)) } }, picture, el("span", { class: "small" }, answer || "–"));
}
