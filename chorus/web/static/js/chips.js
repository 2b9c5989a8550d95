/** An answer as chips in the colours of its classes: one for a class, as many as a set has. */
import { el, setVars } from "./dom.js";
import { score } from "./format.js";
import { _ } from "./i18n.js";
import { tally } from "./shapes/shapes.js";
import { NOTHING, tallyWords } from "./shapes/words.js";
import { NONE_WORD, wordsOf } from "./task.js";

/** What is no class has no colour of its own. */
export const NO_CLASS = { c: "#5f6b7e", "on-c": "#ffffff" };

/** @param {import("./page_state.js").Answer} answer */
export function wordOf(answer) {
  if (answer.kind !== "label") return passWord(answer.kind);
  return answer.shapes ? tallyWords(answer.shapes) : wordsOf(answer.classes);
}

function passWord(kind) {
  return kind === "flag" ? _("Flagged") : _("Skipped");
}

/** Colour variables of an answer: those of its class, where it is one class. */
export function colorsOf(answer, colors) {
  return answer.kind === "label" && answer.classes.length === 1 ? colors(answer.classes[0]) : NO_CLASS;
}

/**
 * @param {import("./page_state.js").Answer} answer
 * @param {?{score: number}} prelabel
 * @param {(name: string) => Record<string, string>} colors
 * @param {?(name: string) => void} onRemove makes each chip of a set one that can be taken off
 */
export function answerChips(answer, prelabel, colors, onRemove) {
  const byModel = answer.by === "model";
  const chip = (word, vars, more) => {
    const node = el("span", { class: "chip", dataset: { kind: answer.kind, by: answer.by } },
      el("span", { class: "chip-word" }, word), more);
    setVars(node, vars);
    return node;
  };
  // Without a score it is no model's answer: the label from before the project started over.
  const origin = typeof prelabel?.score === "number" ? _("model %(score)s", { score: score(prelabel.score) }) : _("earlier label");
  const model = (more = "") => (byModel ? el("span", { class: `chip-model ${more}` }, origin) : null);
  if (answer.kind !== "label") return [chip(passWord(answer.kind), NO_CLASS)];
  if (answer.shapes) {
    const counts = tally(answer.shapes).map(([name, n]) => chip(`${n} ${name}`, colors(name)));
    return counts.length ? counts : [chip(NOTHING, NO_CLASS)];
  }
  if (!answer.classes.length) return [chip(NONE_WORD, NO_CLASS, model())];
  if (!onRemove && answer.classes.length === 1) return [chip(answer.classes[0], colors(answer.classes[0]), model())];
  const remove = (name) =>
    onRemove && el("button", {
      type: "button", class: "chip-remove", tabIndex: -1, title: _("Take %(name)s off", { name }), "aria-label": _("Take %(name)s off", { name }),
      onclick: (e) => {
        e.stopPropagation();
        onRemove(name);
      },
      ondblclick: (e) => e.stopPropagation(),
      onmousedown: (e) => e.preventDefault(),
    }, "×");
  const tags = answer.classes.map((name) => chip(name, colors(name), remove(name)));
  // The score is about the whole set.
  return byModel ? [...tags, model("whole")] : tags;
}
