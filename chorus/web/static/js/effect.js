/** What a change of the rules would do, in words, and whether it is wanted. */
import { $, el, fill } from "./dom.js";
import { count, plural } from "./format.js";

const STATES = { unlabeled: "unlabeled", in_progress: "in progress", labeled: "labeled", needs_review: "needs review", skipped: "skipped", removed: "removed" };

/**
 * @param {any} effect the protocol's Preview
 * @param {string} thing what an item is
 * @returns {string[]} nothing: it changes no item
 */
export function effectWords(effect, thing) {
  const words = [];
  if (effect.open_again) words.push(`${plural(effect.open_again, thing)} would open again and ask for more votes.`);
  if (effect.settle) words.push(`${plural(effect.settle, thing)} would be settled by the votes there are.`);
  if (effect.to_review) words.push(`${plural(effect.to_review, thing)} would go to review.`);
  if (effect.relabeled) words.push(`${plural(effect.relabeled, thing)} would get another label from the same votes.`);
  const { now, then } = effect.votes_asked;
  if (now !== then) words.push(`Votes still to give, if people agree: ${count(then)} in place of ${count(now)}.`);
  const [checks, audits] = [effect.checks_per_1000, effect.audits_per_1000];
  if (checks[0] !== checks[1]) words.push(`Of 1,000 ${thing}s handed out, ${checks[1]} would be checks in place of ${checks[0]}.`);
  if (audits[0] !== audits[1]) words.push(`Of 1,000 prelabeled ${thing}s, ${audits[1]} would go out without the model's answer in place of ${audits[0]}; from the next round on.`);
  if (words.length && !effect.whole) words.push(`Counted over the first ${plural(effect.items, thing)}; the rest follows in the same way.`);
  for (const [from, to, n] of effect.moves) words.push(`${count(n)}: ${STATES[from]} → ${STATES[to]}`);
  return words;
}

/** Ask in a dialog. @param {string[]} words @returns {Promise<string>} "apply", "leave", or "" for who goes on choosing (Escape) */
export function asked(words) {
  const dialog = $("#effect");
  fill($(".effect-words", dialog), ...words.map((word) => el("li", {}, word)));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
