/** What an export is of, in words and as the request that makes it. Pure. */
import { NO_CLASS } from "./review_filter.js";

const STATES = {
  all: "All", labeled: "Labeled", needs_review: "Needs review", skipped: "Skipped",
  in_progress: "In progress", unlabeled: "Unlabeled", removed: "Removed",
};
export const FORMATS = {
  csv: "CSV", jsonl: "JSON Lines", coco: "COCO", yolo: "YOLO", voc: "Pascal VOC",
  "label-studio": "Label Studio", imagefolder: "Image folder", parquet: "Parquet",
};

/** Does the format leave the choice whether the pictures or texts come along? */
export function offersContent(format, text) {
  return ["parquet", "yolo", "voc"].includes(format) || (text && format === "jsonl");
}

/**
 * @param {Record<string, any>} values of the form
 * @param {boolean} text
 * @returns {object} the body of `POST …/exports`
 */
export function orderOf(values, text) {
  const filter = {};
  if (values.state !== "all") filter.state = values.state;
  if (values.class) filter.class = values.class === NO_CLASS ? "" : values.class;
  if (values.labeler) filter.labeler = values.labeler;
  if (values.disagreement) filter.disagreement = values.disagreement;
  if (Number.isFinite(values.min)) filter.confidence_min = values.min / 100;
  if (Number.isFinite(values.max)) filter.confidence_max = values.max / 100;
  if (values.gold) filter.gold = true;
  if (values.changed) filter.prelabel_changed = true;
  if (values.text) filter.text = values.text;
  return {
    format: values.format,
    filter,
    people: values.pseudonyms ? "pseudonyms" : "logins",
    content: offersContent(values.format, text) ? values.content : true,
  };
}

/**
 * @param {any} past an export @param {Map<string, string>} names of people by user_id
 * @returns {string} "Labeled, cat, sure from 80 %"
 */
export function filterWords({ filter, people, missing = 0 }, names) {
  const out = [STATES[filter.state ?? "all"] ?? filter.state];
  if (filter.class !== undefined) out.push(filter.class === "" ? "none of the classes" : filter.class);
  if (filter.labeler) out.push(`answered by ${names.get(filter.labeler) ?? "somebody who has left"}`);
  if (filter.disagreement) out.push(filter.disagreement === "people" ? "people disagree" : "model contradicts");
  if (filter.confidence_min !== undefined) out.push(`sure from ${Math.round(filter.confidence_min * 100)} %`);
  if (filter.confidence_max !== undefined) out.push(`sure to ${Math.round(filter.confidence_max * 100)} %`);
  if (filter.gold) out.push("gold");
  if (filter.prelabel_changed) out.push("prelabel changed");
  if (filter.flagged) out.push("flagged");
  if (filter.text) out.push(`“${filter.text}” in the name`);
  if (filter.item_ids) out.push(`${filter.item_ids.length} chosen`);
  if (people === "pseudonyms") out.push("pseudonyms");
  if (missing) out.push(`${missing} left out: not on this server`);
  return out.join(", ");
}

/** 1234567 → "1.2 MB". */
export function bytes(n) {
  if (n === null || n === undefined) return "";
  if (n < 1000) return `${n} B`;
  const [unit, size] = [["kB", 1e3], ["MB", 1e6], ["GB", 1e9]].findLast(([, s]) => n >= s);
  return `${(n / size).toFixed(1)} ${unit}`;
}
