/** How large texts are shown: a step of a scale, remembered in this browser for all projects. */
import { setVars } from "./dom.js";

const STEPS_PX = [14, 15.5, 17, 19, 21.5, 24.5, 28, 33];
const USUAL = 2;
const KEY = "chorus.type-size";

export class TypeSize {
  /** @param {Storage} [storage] */
  constructor(storage = localStorage) {
    this._storage = storage;
    const kept = Number.parseInt(storage.getItem(KEY) ?? "", 10);
    this._step = kept >= 0 && kept < STEPS_PX.length ? kept : USUAL;
    this._apply();
  }

  /** @param {number} by steps, up or down */
  change(by) {
    this._step = Math.max(0, Math.min(STEPS_PX.length - 1, this._step + by));
    try {
      this._storage.setItem(KEY, String(this._step));
    } catch {
      // Full or forbidden: it holds until the page is left.
    }
    this._apply();
  }

  get smallest() {
    return this._step === 0;
  }

  get largest() {
    return this._step === STEPS_PX.length - 1;
  }

  _apply() {
    setVars(document.documentElement, { reading: `${STEPS_PX[this._step]}px` });
  }
}
