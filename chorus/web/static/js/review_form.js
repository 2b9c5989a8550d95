/** The tabs and the filter form: what they show and what a change of them means. */
import { $, el, fill, setText } from "./dom.js";
import { count } from "./format.js";
import { NONE, active } from "./review_filter.js";

const TYPING_MS = 250;
const EXPLAIN = {
  needs_review: "Most informative first: people disagree, confidence is low, or the model objects.",
  skipped: "Accept (Y): the item leaves the project. Reject (R): it goes back to the labelers.",
  in_progress: "Still being labeled. A decision here ends the voting on the item.",
  labeled: "Settled items. Change what is wrong, or send it back for new votes.",
  all: "Everything in the project, but for what was removed.",
  unlabeled: "Nobody has labeled these yet.",
  removed: "No longer in the project. Send back (R) to bring one in again.",
};

export class FilterForm {
  /** @param {(filter: import("./review_filter.js").Filter) => void} onChange */
  constructor(onChange) {
    this._onChange = onChange;
    this._filter = NONE;
    this._people = "";
    this._form = $("#filters");
    this._timer = 0;
    for (const tab of document.querySelectorAll("#tabs button")) {
      tab.addEventListener("mousedown", (e) => e.preventDefault());
      tab.addEventListener("click", () => this._set({ state: tab.dataset.state, like: 0, order: "" }));
    }
    this._form.addEventListener("input", (e) => {
      clearTimeout(this._timer);
      const typed = e.target.type === "search" || e.target.type === "number";
      this._timer = setTimeout(() => this._read(), typed ? TYPING_MS : 0);
    });
    this._form.addEventListener("keydown", (e) => {
      if (e.isComposing) return; // an input method's own Enter
      if (e.key === "Escape") document.activeElement?.blur();
      else if (e.key === "Enter") {
        this._read();
        document.activeElement?.blur();
      } else return;
      e.preventDefault();
      e.stopPropagation();
    });
    $("#clear-filters").addEventListener("click", () => this.clear());
    $("#do-filter").addEventListener("click", () => this.toggle());
    $("#unread").addEventListener("click", () => this._set({ ...NONE, state: "all", comments: "unread" }));
    $("#like").addEventListener("click", () => this._set({ like: 0 }));
  }

  clear() {
    this._set({ ...NONE, state: this._filter.state });
  }

  toggle(open = this._form.hidden) {
    this._form.hidden = !open;
    $("#do-filter").setAttribute("aria-expanded", String(open));
    if (open) $('[name="text"]', this._form).focus();
  }

  _read() {
    const of = (name) => $(`[name="${name}"]`, this._form);
    this._set({
      text: of("text").value, class: of("class").value, labeler: of("labeler").value,
      disagreement: of("disagreement").value, min: of("min").value, max: of("max").value,
      changed: of("changed").checked, gold: of("gold").checked,
      flagged: of("flagged").checked, comments: of("comments").value, order: of("order").value, like: 0,
    });
  }

  _set(change) {
    const next = { ...this._filter, ...change };
    if (JSON.stringify(next) !== JSON.stringify(this._filter)) this._onChange(next);
  }

  /** @param {import("./review_room.js").Room} room */
  render(room) {
    const { filter, stats } = room;
    this._labelers(stats?.labelers ?? []);
    if (this._filter !== filter) {
      this._filter = filter;
      this._fill(filter);
    }
    for (const tab of document.querySelectorAll("#tabs button")) {
      const state = tab.dataset.state;
      tab.setAttribute("aria-pressed", String(state === filter.state && !filter.like));
      const n = stats?.counts[state === "all" ? "items" : state];
      setText($(".rv-count", tab), n === undefined ? "" : count(n));
    }
    const on = active(filter);
    const badge = $("#filter-count");
    badge.hidden = on === 0;
    setText(badge, String(on));
    setText($("#explain"), filter.like ? "" : (EXPLAIN[filter.state] ?? ""));
    const like = $("#like");
    like.hidden = !filter.like;
    setText(like, "Open items that look like the one you decided ×");
    setText($("#found"), found(room));
    const done = room.history.reduce((sum, d) => sum + (d.seqs?.length ?? d.done), 0);
    setText($("#tally"), done ? `${count(done)} decided here` : "");
  }

  _fill(filter) {
    for (const [key, value] of Object.entries(filter)) {
      const field = this._form.elements.namedItem(key);
      if (!field || field === document.activeElement) continue;
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
    }
    if (active(filter) && this._form.hidden) {
      this._form.hidden = false;
      $("#do-filter").setAttribute("aria-expanded", "true");
    }
  }

  _labelers(labelers) {
    const people = JSON.stringify(labelers.map((l) => [l.user_id, l.name]).sort());
    if (people === this._people) return;
    this._people = people;
    const select = $('[name="labeler"]', this._form);
    const chosen = this._filter.labeler;
    fill(select, el("option", { value: "" }, "Any labeler"),
      ...labelers.map((l) => el("option", { value: l.user_id }, l.name)));
    select.value = chosen;
  }
}

function found(room) {
  if (!room.loaded) return "";
  const at = room.index >= 0 && room.claiming ? `${count(room.index + 1)} of ` : "";
  return `${at}${count(room.total)}${room.more ? " and more" : ""}`;
}
