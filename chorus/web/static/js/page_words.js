/** What the line above a page says of it. Pure. */
import { plural } from "./format.js";
import { isOdd } from "./page_state.js";

/**
 * @param {string} kind of the page, or "correcting"
 * @param {import("./page_state.js").PageState} page
 * @param {import("./task.js").Task} task
 * @returns {[string, string]} title and sentence
 */
export function bannerWords(kind, page, task) {
  switch (kind) {
    case "clustered": {
      const odd = page.items.filter(isOdd).length;
      const look = odd ? ` ${plural(odd, task.thing)} in a dashed frame may not belong.` : "";
      const then = task.multi ? "A selects all, then their classes." : "A selects all, then one class.";
      return ["Tasks clustered", `These look alike: ${then}${look}`];
    }
    case "prelabeled": {
      const how = task.multi ? "Take off or add what is wrong or missing" : "Correct what is wrong";
      return ["Tasks prelabeled", `The model has answered. ${how}, then Enter.${unprompted(page, task)}`];
    }
    case "correcting":
      return ["Correcting an earlier page", "Change what was wrong, then Enter."];
    case "manual":
      return ["Tasks manual", task.multi
        ? `Give each ${task.thing} all classes that apply, or 0: none of them.`
        : `Give each ${task.thing} its class.`];
    default:
      return ["", ""];
  }
}

/** Some items of a prelabeled page come without the model's answer: the blind audit. */
function unprompted(page, task) {
  const blind = page.items.filter((item) => !item.prelabel).length;
  return blind ? ` ${plural(blind, task.thing)} without an answer: give it yourself.` : "";
}
