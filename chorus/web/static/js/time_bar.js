/**
 * The dashboard at another time: a slider from the first event to now, play and pause, back to
 * live. One question is on its way at most; the newest wish wins.
 */
import { $, setText } from "./dom.js";
import { moment } from "./curve_card.js";
import { serverNow } from "./server_time.js";
import { toast } from "./toast.js";

const STEPS = 1000;
/** The whole past plays in so many frames, no quicker than one in FRAME_MS. */
const FRAMES = 150;
const FRAME_MS = 150;

export class TimeBar {
  /**
   * @param {number} from when the project began
   * @param {(at: number) => Promise<any>} ask the Moment at a time
   * @param {(moment: any | null) => void} show a Moment, or null: live again
   */
  constructor(from, ask, show) {
    this._ask = ask;
    this._show = show;
    this._from = from;
    this._wish = null;
    this._busy = false;
    this._timer = 0;
    this._slider = $("#time-slider");
    this._slider.addEventListener("input", () => {
      this._pause();
      this._go(Number(this._slider.value));
    });
    $("#time-play").addEventListener("click", () => (this._timer ? this._pause() : this._play()));
    $("#time-live").addEventListener("click", () => this.live());
  }

  get past() {
    return this._wish !== null;
  }

  live() {
    this._pause();
    this._wish = null;
    this._slider.value = String(STEPS);
    this._words(null);
    this._show(null);
    if (document.activeElement === $("#time-live") || document.activeElement === document.body) this._slider.focus();
  }

  _time(step) {
    return Math.round(this._from + ((serverNow() - this._from) * step) / STEPS);
  }

  _words(at) {
    const text = at === null ? "Now, live" : moment(at, true);
    setText($("#time-shown"), text);
    this._slider.setAttribute("aria-valuetext", text);
    $("#time-live").hidden = at === null;
  }

  _go(step) {
    if (step >= STEPS) return this.live();
    this._wish = this._time(step);
    this._words(this._wish);
    return this._run();
  }

  async _run() {
    if (this._busy) return;
    this._busy = true;
    try {
      let shown = null;
      while (this._wish !== null && this._wish !== shown) {
        shown = this._wish;
        const found = await this._ask(shown);
        if (this._wish !== null) this._show(found);
      }
    } catch (error) {
      this.live();
      toast(error.message || "No connection: the past is shown again when you are back.", "bad");
    } finally {
      this._busy = false;
    }
  }

  _play() {
    if (Number(this._slider.value) >= STEPS) this._slider.value = "0";
    $("#time-play").setAttribute("aria-label", "Pause");
    setText($("#time-play span"), "⏸");
    const frame = async () => {
      const step = Number(this._slider.value) + STEPS / FRAMES;
      this._slider.value = String(Math.min(STEPS, Math.round(step)));
      const began = Date.now();
      await this._go(Number(this._slider.value));
      if (this._timer) this._timer = setTimeout(frame, Math.max(0, FRAME_MS - (Date.now() - began)));
    };
    this._timer = setTimeout(frame, 0);
  }

  _pause() {
    clearTimeout(this._timer);
    this._timer = 0;
    $("#time-play").setAttribute("aria-label", "Play from here");
    setText($("#time-play span"), "▶");
  }
}
