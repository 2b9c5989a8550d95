/** What the labeler's page says: in the line above the items, and where there are none. Pure. */
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
      const how = task.multi ? "Put its tags right" : "Correct what is wrong";
      if (page.items.some((item) => item.prelabel && typeof item.prelabel.score !== "number")) {
        return ["Tasks prelabeled", `Labels from before the project started over. ${how}, then Enter.${unprompted(page, task)}`];
      }
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

/**
 * @param {string} why there is nothing to label here now
 * @param {import("./task.js").Task} task
 * @returns {[string, string]} title and sentence
 */
export function coverWords(why, task) {
  const things = `${task.thing}s`;
  const words = {
    done: ["All done", "There is nothing left for you to label here. Thank you!"],
    waiting: ["Your colleagues have the rest", `The next ${things} come by themselves as soon as one is free again.`],
    paused: ["Paused", "A supervisor has paused this project. It goes on by itself."],
    no_items: [`No ${things} yet`, `As soon as ${things} are added, your first page appears here.`],
    archived: ["Archived", "This project has been put away. There is nothing to do here."],
    stopped: ["You are paused", "A supervisor has paused your work for now. Your page comes back when they resume it; nothing you sent is lost."],
    idle: ["Still there?", "Your page went back to the others. Press any key or tap to go on."],
    loading: ["One moment …", "Your next page is on its way."],
    offline: ["No connection", "Your answers are kept here. The next page comes when you are back."],
  };
  return words[why] ?? words.loading;
}

/** Some items of a prelabeled page come without the model's answer: the blind audit. */
function unprompted(page, task) {
  const blind = page.items.filter((item) => !item.prelabel).length;
  return blind ? ` ${plural(blind, task.thing)} without an answer: give it yourself.` : "";
}
