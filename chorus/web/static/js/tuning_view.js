/** Fine-tuning in the model's room: the newest one, what came of it, and what can be done. */
import { $, el, fill, setText, thead } from "./dom.js";
import { count, percent, plural, seconds } from "./format.js";

const CHIPS = {
  running: ["running", ""], adopted: ["adopted", "good"], declined: ["no better, not used", "warn"],
  failed: ["failed", "bad"], cancelled: ["cancelled", "warn"],
};

export class TuningView {
  /** @param {HTMLElement} root */
  constructor(root) {
    this._root = root;
  }

  /** @param {any} tuning `assist.tuning` of the stats */
  render(tuning) {
    const { enabled, running, blocked, newest } = tuning;
    this._root.hidden = false;
    const [text, tone] = newest ? CHIPS[newest.state] : ["", ""];
    const chip = $(".tuning-chip", this._root);
    chip.hidden = !newest;
    chip.dataset.tone = tone;
    setText(chip, newest ? `no. ${newest.number}: ${text}` : "");
    setText($(".tuning-line", this._root), line(tuning));
    const bar = $("progress", this._root);
    bar.hidden = !(newest && (newest.state === "running" || (newest.state === "adopted" && newest.progress < 1)));
    bar.value = newest?.progress ?? 0;
    $("#tune").hidden = running || !enabled;
    $("#tune").disabled = Boolean(blocked);
    $("#tune-cancel").hidden = !running;
    setText($("#tune-blocked"), enabled && !running && blocked ? `Not now: ${blocked}.` : "");
    this._outcome(newest);
  }

  _outcome(newest) {
    const table = $("table", this._root);
    table.hidden = !newest?.after;
    const key = JSON.stringify([newest?.number, newest?.after]);
    if (table.hidden || table.dataset.drawn === key) return;
    table.dataset.drawn = key;
    const row = (name, found) => el("tr", {}, el("th", { scope: "row" }, name),
      el("td", { class: "num" }, percent(found.accuracy)), el("td", { class: "num" }, found.loss.toFixed(3)));
    fill(table,
      el("caption", { class: "small muted" }, `Heads taught on ${plural(newest.heads_from, "item")} and judged on ${plural(newest.judged_on, "other")}, none of which the network has learned from`),
      thead(["Features of", "Right", "Loss"], { numbers: 1 }),
      el("tbody", {}, row("the networks as they come", newest.before), row("these and the tuned one", newest.after)));
  }
}

function line({ enabled, newest }) {
  const off = "Switched off in the settings. It lets the last stages of the network learn from this project's own labels, in the background.";
  if (!newest) return enabled ? "The last stages of the network learn from this project's own labels, in the background, once there are enough." : off;
  const from = newest.pictures ? `Learned from ${plural(newest.pictures, "picture")} in ${seconds(newest.seconds)}${newest.device === "cuda" ? " on the GPU" : ""}. ` : "";
  if (newest.state === "running") return `Learns from the ${count(newest.labels)} labels there were; rounds go first.`;
  if (newest.state === "declined") return `${from}Its features were no help, so they are not used; the next try comes with twice as many labels.`;
  if (newest.state === "adopted" && newest.progress < 1) return `${from}All items go through it now; then it is used.`;
  if (newest.state === "adopted") return `${from}${enabled ? "In use." : "Switched off in the settings, so it is not used."}`;
  return `Ended without a result: ${newest.reason}. The next try comes with twice as many labels, or now.`;
}
