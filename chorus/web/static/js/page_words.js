/** What the labeler's page says: in the line above the items, and where there are none. Pure. */
import { _, language, ngettext } from "./i18n.js";
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
      if (page.unsure) return [_("Tasks clustered"), _("These may look alike, but the model is not sure of it: look at each.")];
      const odd = page.items.filter(isOdd).length;
      const look = odd && ngettext("%(n)s in a dashed frame may not belong.", "%(n)s in dashed frames may not belong.", odd);
      const then = task.multi
        ? _("These look alike: select all, then give their classes.")
        : _("These look alike: select all, then give one class.");
      return [_("Tasks clustered"), sentences(then, look)];
    }
    case "prelabeled": {
      const how = task.multi ? _("Put its tags right, then Enter.") : _("Correct what is wrong, then Enter.");
      const before = page.items.some((item) => item.prelabel && typeof item.prelabel.score !== "number");
      const whose = before ? _("Labels from before the project started over.") : _("The model has answered.");
      return [_("Tasks prelabeled"), sentences(sentences(whose, how), unprompted(page, task))];
    }
    case "practice":
      return practiceWords(page);
    case "correcting":
      return [_("Correcting an earlier page"), _("Change what was wrong, then Enter.")];
    case "manual":
      return [_("Tasks manual"), manualWords(task)];
    default:
      return ["", ""];
  }
}

function practiceWords(page) {
  if (!page.verdicts) {
    const place = page.practice ?? { done: 0, of: page.items.length };
    const where = _("Practice, %(from)s to %(to)s of %(of)s", { from: place.done + 1, to: place.done + page.items.length, of: place.of });
    return [where, _("It counts for nothing: afterwards you are shown what is right.")];
  }
  const known = page.items.map((i) => page.verdicts[i.item_id]);
  if (known.some((v) => !v)) return [_("Practice"), _("Your answers are on their way.")];
  const judged = known.filter((v) => v.right !== null);
  const words = { n: judged.filter((v) => v.right).length, of: judged.length };
  return [_("%(n)s of %(of)s right", words), _("Look at what was different, then Enter to go on.")];
}

/** What a person is told of one answer in practice. @returns {[string, string]} tone and words */
export function verdictWords(verdict, said) {
  if (!verdict) return ["wait", _("on its way")];
  if (verdict.right === null) return ["wait", _("nobody knows")];
  return verdict.right ? ["right", _("Right")] : ["wrong", _("Wrong: it is %(answer)s", { answer: said })];
}

/**
 * @param {string} why there is nothing to label here now
 * @param {import("./task.js").Task} task
 * @returns {[string, string]} title and sentence
 */
export function coverWords(why, task) {
  const words = {
    done: [_("All done"), _("There is nothing left for you to label here. Thank you!")],
    waiting: [_("Your colleagues have the rest"), task.text
      ? _("The next texts come by themselves as soon as one is free again.")
      : _("The next pictures come by themselves as soon as one is free again.")],
    paused: [_("Paused"), _("A supervisor has paused this project. It goes on by itself.")],
    no_items: task.text
      ? [_("No texts yet"), _("As soon as texts are added, your first page appears here.")]
      : [_("No pictures yet"), _("As soon as pictures are added, your first page appears here.")],
    archived: [_("Archived"), _("This project has been put away. There is nothing to do here.")],
    practice: [_("Practice first"), _("Your practice page is open in another tab. Finish it there; this one goes on by itself.")],
    stopped: [_("You are paused"), _("A supervisor has paused your work for now. Your page comes back when they resume it; nothing you sent is lost.")],
    idle: [_("Still there?"), _("Your page went back to the others. Press any key or tap to go on.")],
    loading: [_("One moment …"), _("Your next page is on its way.")],
    offline: [_("No connection"), _("Your answers are kept here. The next page comes when you are back.")],
  };
  return words[why] ?? words.loading;
}

/** Some items of a prelabeled page come without the model's answer: the blind audit. */
function unprompted(page, task) {
  const blind = page.items.filter((item) => !item.prelabel).length;
  if (!blind) return "";
  return task.text
    ? ngettext("%(n)s text without an answer: give it yourself.", "%(n)s texts without an answer: give it yourself.", blind)
    : ngettext("%(n)s picture without an answer: give it yourself.", "%(n)s pictures without an answer: give it yourself.", blind);
}

function manualWords(task) {
  if (task.multi) {
    return task.text
      ? _("Give each text all classes that apply, or 0: none of them.")
      : _("Give each picture all classes that apply, or 0: none of them.");
  }
  return task.text ? _("Give each text its class.") : _("Give each picture its class.");
}

/** One after the other; Chinese has no space between them. */
function sentences(first, second) {
  if (!second) return first;
  return language.startsWith("zh") ? `${first}${second}` : `${first} ${second}`;
}
