/** Sentences about the model that more than one room says. */
import { plural } from "./format.js";

const BEYOND = "More labels than there are open items would be needed: people may label the rest.";

/**
 * How many labels until there may be prelabels, to follow the reason why there are none.
 * @param {?number} needed @param {number} left items without a label; 0: nothing is to be said @param {string} what is counted: "label" or "vote"
 */
export function moreNeeded(needed, left, what) {
  if (!needed || left === 0) return "";
  return needed > left ? ` ${BEYOND}` : ` About ${plural(needed, `more ${what}`)}.`;
}
