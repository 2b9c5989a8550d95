/** What was changed of a project, in words. Pure. */
import { count, percent } from "./format.js";

const NAMES = {
  name: "Name", description: "Description", page_size: "Items on a page", lease_ms: "Time for a page", target: "Prelabels right",
  consensus: "Votes are merged by", set_rule: "Label sets are merged by", cluster: "Clustered pages", prelabel: "Prelabels",
  votes_min: "Votes at least", votes_max: "Votes at most", skips_max: "Skips at most", gold_rate: "Gold checks", practice: "Practice before the first page",
  audit_share: "Blind audit", ordering: "What comes next by hand", fine_tune: "Fine-tuning", networks: "Networks that look at it", second_look: "Second looks",
  iou: "The same shape from an overlap of", shape_agreement: "Settled from, of its shapes agreed",
};
const STATES = { running: "Running", paused: "Paused", archived: "Archived" };
const THEN = { pause: ", and paused", start_over: ", and started over", start_over_preset: ", and started over with the old labels filled in" };
const SHARES = ["target", "gold_rate", "audit_share", "iou", "shape_agreement"];
const CLASS = { name: "named", color: "coloured", key: "on key" };

/** @param {Record<string, any>} change @returns {string[]} one line each */
export function changeWords(change) {
  if (change.cloned) return [`Cloned from ${change.cloned.name}`];
  if (change.classes && change.name && change.state && !change.added) return ["Made"];
  const words = [];
  if (change.added) words.push(`Classes added: ${change.added.join(", ")}${THEN[change.then] ?? ""}`);
  if (change.class) {
    const { from, to } = change.class;
    for (const field of Object.keys(to)) words.push(`A class ${CLASS[field]} ${to[field] ?? "–"} (was ${from[field] ?? "–"})`);
  }
  if (change.assignment) {
    const { made, given, ended, only } = change.assignment;
    words.push(made ? `Items for some people${only ? " alone" : " first"}, no. ${made}` : given ? `No. ${given} goes to other people` : `No. ${ended} is everybody's again`);
  }
  if (change.started_over !== undefined) words.push(`Started over: ${count(change.started_over)} items set aside`);
  if (change.instructions !== undefined) words.push(change.instructions_rev ? `Instructions, revision ${change.instructions_rev}` : "Instructions, a slip of the pen");
  for (const [field, name] of Object.entries(NAMES)) {
    if (change[field] === undefined) continue;
    const value = change[field];
    const said = SHARES.includes(field) ? percent(value) : typeof value === "boolean" ? (value ? "on" : "off") : field === "lease_ms" ? `${Math.round(value / 60_000)} min` : value;
    words.push(`${name}: ${said}`);
  }
  if (change.state && !change.added) words.push(STATES[change.state] ?? change.state);
  return words.length ? words : ["Changed"];
}
