/** Making labeled items gold in the review room: people are given them again, blind. */
import { plural } from "./format.js";
import { toast } from "./toast.js";

/**
 * @param {(type: string, body: any) => Promise<any>} command
 * @param {number[]} ids
 * @param {boolean} gold
 */
export async function markGold(command, ids, gold) {
  if (!ids.length) return;
  try {
    const { done, refused } = await command("gold.mark", { item_ids: ids, gold });
    const what = gold ? "is checked against now" : "is no longer checked against";
    if (done.length) toast(`${plural(done.length, "picture")}: people's work ${what}.`, "good");
    if (refused.length) toast(`${plural(refused.length, "picture")} not marked: ${refused[0].message}.`, "warn");
  } catch (error) {
    toast(error.message || "No connection: nothing was marked. Try again when you are back.", "bad");
  }
}
