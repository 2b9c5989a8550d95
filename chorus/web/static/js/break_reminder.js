/** A line beside the work that suggests a break. It takes no keyboard, and stops nothing. */
import { $, setText } from "./dom.js";
import { BreakClock } from "./break_clock.js";
import { ngettext } from "./i18n.js";

const LOOK_MS = 15_000;

export class BreakReminder {
  /**
   * @param {HTMLElement} root
   * @param {number} minutes 0: never
   * @param {string} userId
   */
  constructor(root, minutes, userId) {
    this._root = root;
    this._key = `chorus.break.${userId}`;
    this._clock = new BreakClock(minutes, read(this._key));
    const active = () => {
      this._clock.activity(Date.now());
      this._keep();
    };
    document.addEventListener("keydown", active);
    document.addEventListener("pointerdown", active);
    for (const [name, run] of [[".break-rest", () => this._clock.rest()], [".break-later", () => this._clock.later(Date.now())]]) {
      $(name, root).addEventListener("mousedown", (e) => e.preventDefault());
      $(name, root).addEventListener("click", () => {
        run();
        this._keep();
        this._look();
      });
    }
    if (minutes) setInterval(() => this._look(), LOOK_MS);
    this._look();
  }

  _look() {
    const minutes = this._clock.due(Date.now());
    this._root.hidden = !minutes;
    setText($(".break-text", this._root), minutes
      ? ngettext("You have worked for %(n)s minute. A short break does you good.", "You have worked for %(n)s minutes. A short break does you good.", minutes)
      : "");
  }

  _keep() {
    try {
      localStorage.setItem(this._key, JSON.stringify(this._clock.state));
    } catch {
      // Full or forbidden: it begins anew with every page.
    }
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    return {};
  }
}
