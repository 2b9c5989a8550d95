/**
 * A person's own keys: shown wherever a key is named, changed in the dialog that lists them. The
 * server keeps them, and refuses a key that is taken.
 */
import { $, setText } from "./dom.js";
import { api } from "./api.js";
import { _ } from "./i18n.js";
import { KEYS } from "./keys.js";
import { errorWords } from "./words.js";

const SHOWN = { " ": () => _("Space"), Enter: () => "⏎" };
const MODIFIERS = ["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"];

export class KeyMap {
  /**
   * @param {HTMLDialogElement} dialog the list of keys
   * @param {Record<string, string>} keys action -> key, of all pages
   * @param {Record<string, string>} defaults the actions of this page, and the key that each has by itself
   */
  constructor(dialog, keys, defaults = KEYS) {
    this._dialog = dialog;
    this._defaults = defaults;
    this._take(keys);
    /** @type {?string} the action that waits for its new key */
    this.waiting = null;
    for (const button of dialog.querySelectorAll("[data-change]")) {
      button.addEventListener("click", () => this._wait(this.waiting === button.dataset.change ? null : button.dataset.change));
    }
    $(".keys-reset", dialog).addEventListener("click", () => this._save({}));
    // Before the page's own keys hear of it; Escape here ends the waiting and not the dialog.
    dialog.addEventListener("keydown", (e) => this._pressed(e), true);
    dialog.addEventListener("cancel", (e) => this.waiting !== null && e.preventDefault());
    dialog.addEventListener("close", () => this._wait(null));
    this._render();
  }

  _wait(action) {
    this.waiting = action;
    this._say("");
    this._render();
  }

  _pressed(event) {
    if (this.waiting === null || MODIFIERS.includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const action = this.waiting;
    if (event.key === "Escape" || event.key === "Tab") {
      this._wait(null);
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    this._wait(null);
    this._save({ ...this.keys, [action]: key });
  }

  /** @param {Record<string, string>} keys of all pages; those of other pages are kept as they are */
  _take(keys) {
    const own = (name) => name in this._defaults;
    const some = (wanted) => Object.fromEntries(Object.entries(keys).filter(([name]) => own(name) === wanted));
    this.keys = { ...this._defaults, ...some(true) };
    this._others = some(false);
  }

  async _save(keys) {
    try {
      const kept = await api("PATCH", "/api/me/preferences", { keys: { ...this._others, ...keys } });
      this._take(kept.keys);
      this._say(_("Saved."));
    } catch (error) {
      this._say(this._taken(keys) ?? errorWords(error), true);
    }
    this._render();
  }

  /** Whose key it is already, in words; null: it is refused for another reason. */
  _taken(keys) {
    const [action, key] = Object.entries(keys).find(([name, value]) => value !== this.keys[name]) ?? [];
    const other = Object.keys(this.keys).find((name) => name !== action && this.keys[name] === key);
    if (!other) return null;
    const what = $(`[data-change="${other}"]`, this._dialog).dataset.what;
    return _("%(key)s is already the key of: %(what)s", { key: nameOf(key), what });
  }

  _say(text, bad = false) {
    const line = $(".keys-said", this._dialog);
    setText(line, text);
    line.dataset.tone = bad ? "bad" : "good";
  }

  _render() {
    for (const node of document.querySelectorAll("[data-key-of]")) {
      setText(node, nameOf(this.keys[node.dataset.keyOf]));
    }
    for (const button of this._dialog.querySelectorAll("[data-change]")) {
      const waits = button.dataset.change === this.waiting;
      setText(button, waits ? _("Press a key …") : _("Change"));
      button.setAttribute("aria-pressed", String(waits));
    }
    const own = Object.keys(this._defaults).some((action) => this.keys[action] !== this._defaults[action]);
    $(".keys-reset", this._dialog).disabled = !own;
  }
}

function nameOf(key) {
  return SHOWN[key]?.() ?? key.toUpperCase();
}
