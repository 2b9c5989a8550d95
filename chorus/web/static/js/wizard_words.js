/** What the wizard works out and says: an estimate of the work, what is missing, a word a step. Pure. */
import { count, percent, plural } from "./format.js";
import { LEVELS_MAX } from "./class_tree.js";
import { taskOf } from "./task.js";

/** Seconds an item takes where this server has measured nothing yet; to be changed in the summary. */
export const ASSUMED_S = { multiclass: 2, multilabel: 4, boxes: 30, polygons: 90, "text-multiclass": 6, "text-multilabel": 8 };
const CROWD_S = 3600;
/** As the server has it, which refuses what is more. */
const NAME_MAX = 100;
const CLASSES_MAX = 2000;

/**
 * Work without the model's help: every item by hand, and where votes_max is more than votes_min,
 * between everybody agreeing and everybody disagreeing.
 * @param {{items: number, votes_min: number, votes_max: number, gold_rate: number, gold: boolean,
 *   seconds: number}} what
 * @returns {{votes: number, most: number, checks: number, hours: number, hours_most: number}}
 */
export function estimate({ items, votes_min, votes_max, gold_rate, gold, seconds }) {
  const share = gold ? gold_rate : 0;
  const votes = items * votes_min;
  const most = items * Math.max(votes_min, votes_max);
  const checks = Math.round((votes * share) / (1 - share));
  const hours = (n) => (n * seconds) / CROWD_S;
  return { votes, most, checks, hours: hours(votes + checks), hours_most: hours(most / (1 - share)) };
}

/** 0.4 → "24 min", 3.25 → "3.3 h", 120 → "120 h". */
function hoursWords(hours) {
  if (hours < 1) return `${Math.max(1, Math.round(hours * 60))} min`;
  return `${hours < 20 ? hours.toFixed(1) : count(Math.round(hours))} h`;
}

export function estimateWords(found, helps) {
  if (!found.votes) return "Nothing to label yet: as soon as there is, the votes and hours it takes show here.";
  const range = found.most > found.votes ? ` (up to ${count(found.most)} votes and ${hoursWords(found.hours_most)} if people disagree)` : "";
  const checks = found.checks ? `, ${plural(found.checks, "check")} among them` : "";
  const help = helps ? " Without the model's help; it usually takes a part of this off." : "";
  return `${plural(found.votes, "vote")}, about ${hoursWords(found.hours)} of work${checks}${range}.${help}`;
}

/** Why a step cannot be left yet; null: it can. @param {string} step @param {any} a the answers */
export function missingIn(step, a) {
  const { multi, shapes } = taskOf(a);
  const needed = multi || shapes ? 1 : 2;
  switch (step) {
    case "name":
      return a.name.trim() ? null : ["name", "Give it a name."];
    case "data":
      if (a.source.kind === "server" && !a.source.path.trim()) return ["path", "Name a folder or a table on the server, or choose “Later”."];
      if (a.source.kind === "place" && !/^\w+:\/\/./.test(a.source.place?.url ?? "")) return ["place_url", "Give the place's address, such as s3://bucket/folder, or choose “Later”."];
      return a.found?.error ? ["path", a.found.error] : null;
    case "classes":
      if (a.classes.length < needed) return ["list", needed === 1 ? "At least one class is needed." : "At least two classes are needed."];
      return refusedClass(a.classes, multi);
    case "quality":
      if (!(a.votes_min >= 1 && a.votes_min <= a.votes_max && a.votes_max <= 100)) return ["votes_max", "Votes at most must not be fewer than votes at least."];
      if (!(a.target >= 0.5 && a.target < 1)) return ["target", "Right must be 50 to 99.9 %."];
      if (!(a.practice >= 0 && a.practice <= 200)) return ["practice", "Practice must be 0 to 200 items."];
      if (shapes && !(a.iou >= 0.1 && a.iou <= 0.95)) return ["iou", "The overlap must be 10 to 95 %."];
      if (shapes && !(a.shape_agreement > 0 && a.shape_agreement <= 1)) return ["shape_agreement", "The share of shapes agreed must be 1 to 100 %."];
      return a.gold_rate >= 0 && a.gold_rate <= 0.5 ? null : ["gold_rate", "Gold checks must be 0 to 50 %."];
    case "assist":
      return a.audit_share >= 0 && a.audit_share <= 0.5 ? null : ["audit_share", "The audit must be 0 to 50 %."];
    default:
      return null;
  }
}

/** The first thing about the classes that the server would refuse. */
function refusedClass(classes, multi) {
  if (classes.length > CLASSES_MAX) return ["list", `These are ${count(classes.length)} classes; a project has at most ${count(CLASSES_MAX)}.`];
  for (const { name } of classes) {
    const shown = `“${name.length > 60 ? `${name.slice(0, 60)}…` : name}”`;
    const levels = name.split("/");
    if (levels.length > LEVELS_MAX) return ["list", `${shown} has ${levels.length} levels; there are at most ${LEVELS_MAX}.`];
    if (levels.some((level) => [...level.trim()].length > NAME_MAX)) return ["list", `${shown} is too long: a name has at most ${NAME_MAX} characters.`];
    if (multi && name.includes("|")) return ["list", `${shown} has a | in it, which stands between the classes of a set in tables.`];
  }
  return null;
}

/** Do the data's labels come in with it? Of a folder on the server only pictures do. */
export function labelsCome({ found, source, task_type }) {
  if (source.kind === "none" || !found?.labels.length) return false;
  return source.kind === "upload" || taskOf({ task_type }).text || /\.(csv|tsv|jsonl|ndjson)$/i.test(source.path);
}

/** Items that somebody has to answer: those that come with a label are decided. */
export function itemsToLabel(a) {
  if (a.source.kind === "none" || !a.found) return 0;
  return Math.max(0, a.found.items - (labelsCome(a) ? a.found.labeled ?? 0 : 0));
}

/** What a step has been told, in a few words. */
export function saidIn(step, a) {
  const { thing, multi, shapes, text } = taskOf(a);
  switch (step) {
    case "name":
      return a.name;
    case "task":
      if (shapes) return shapes === "boxes" ? "Pictures, boxes" : "Pictures, outlines";
      return `${text ? "Texts" : "Pictures"}, ${multi ? "several classes" : "one class"}`;
    case "data":
      if (a.source.kind === "none") return "Later";
      if (a.source.kind === "place") return a.source.place?.url ?? "";
      return a.found?.items ? plural(a.found.items, thing) : "";
    case "classes":
      return a.classes.length ? plural(a.classes.length, "class", "classes") : "";
    case "instructions":
      return a.instructions.trim() ? plural(a.instructions.trim().split(/\s+/).length, "word") : "None";
    case "quality":
      return `${a.votes_min === a.votes_max ? plural(a.votes_min, "vote") : `${a.votes_min} to ${a.votes_max} votes`}, ${percent(a.target, a.target * 100 % 1 ? 1 : 0)}`;
    case "assist":
      return a.assist ? "On" : "Off";
    case "people":
      return a.people.length ? plural(a.people.length, "person", "people") : "Nobody yet";
    default:
      return "";
  }
}
