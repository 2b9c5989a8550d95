/** Making labeled items gold in the review room: people are given them again, blind. */
import { $, setText } from "./dom.js";
import { api } from "./api.js";
import { plural } from "./format.js";
import { toQuery } from "./review_filter.js";
import { toast } from "./toast.js";

const CHUNK = 200;

/**
 * @param {import("./task.js").Task} task
 * @param {(type: string, body: any) => Promise<any>} command
 * @param {{ids: number[], filter: ?any}} what all that match the filter, where there is one
 * @param {boolean} gold
 */
export async function markGold(task, command, { ids, filter }, gold) {
  let done = 0;
  const refused = [];
  try {
    for await (const some of filter ? matching(command, filter) : [ids]) {
      if (!some.length) continue;
      const answer = await command("gold.mark", { item_ids: some, gold });
      done += answer.done.length;
      refused.push(...answer.refused);
    }
  } catch (error) {
    toast(error.message || "No connection: not all were marked. Try again when you are back.", "bad");
  }
  const what = gold ? "people are given them again, blind" : "no longer gold";
  if (done) toast(`${plural(done, task.thing)}: ${what}.`, "good");
  if (refused.length) toast(`${plural(refused.length, task.thing)} not marked: ${refused[0].message}.`, "warn");
}

/** Writing what is told of one gold item in practice. */
export class GoldNote {
  /** @param {string} projectId @param {() => ?any} chosen the one gold item that is selected */
  constructor(projectId, chosen) {
    this._dialog = $("#gold-note-dialog");
    this._button = $("#gold-note");
    this._chosen = chosen;
    const text = $("#gold-note-text");
    const problem = $(".error", this._dialog);
    this._button.addEventListener("click", () => {
      this._item = chosen();
      if (!this._item) return;
      text.value = this._item.gold_note ?? "";
      problem.hidden = true;
      this._dialog.showModal();
    });
    $(".dialog-close", this._dialog).addEventListener("click", () => this._dialog.close());
    $("form", this._dialog).addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const kept = await api("PUT", `/api/projects/${projectId}/gold/${this._item.item_id}/note`, { text: text.value });
        this._item.gold_note = kept.text || null;
        this._dialog.close();
        toast(kept.text ? "Whoever practises on it is told." : "The note is gone.", "good");
      } catch (error) {
        problem.hidden = false;
        setText(problem, error.message || "No connection: the note was not kept. Try again.");
      }
    });
  }

  show() {
    this._button.hidden = !this._chosen();
  }
}

async function* matching(command, filter) {
  let after = "";
  do {
    const { items, next } = await command("review.list", { ...toQuery(filter), limit: CHUNK, after, count: false });
    yield items.map((item) => item.item_id);
    after = next;
  } while (after);
}
