/** Making labeled items gold in the review room: people are given them again, blind. */
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

async function* matching(command, filter) {
  let after = "";
  do {
    const { items, next } = await command("review.list", { ...toQuery(filter), limit: CHUNK, after, count: false });
    yield items.map((item) => item.item_id);
    after = next;
  } while (after);
}
