/** What an assignment is, in words. Pure. */
import { count, percent, plural } from "./format.js";

/** "Ann, Night shift" @param {{people: {name: string}[], teams: {name: string}[]}} a */
export function whoWords(a) {
  return [...a.people, ...a.teams].map((one) => one.name).join(", ") || "nobody any more";
}

/** "30 % of the pictures with “beach” in the name, and of what comes later" */
export function whatWords(a, thing) {
  const share = a.share < 1 ? `${percent(a.share, 0)} of the ${thing}s` : `all ${thing}s`;
  const text = a.text ? ` with “${a.text}” in the name` : "";
  const guess = a.guess === null || a.guess === undefined ? "" : ` that the model calls ${a.guess || "none of the classes"}`;
  return `${share}${text}${guess}${a.later ? ", also of what comes later" : ""}`;
}

/** What is wrong with it; "": nothing. */
export function stuckWords(a, thing) {
  return a.stuck ? `Nobody can get ${plural(a.stuck, thing)} of ${whoWords(a)}: all who may have answered, are paused or have left.` : "";
}

/** How far it is. */
export function stateWords(a) {
  if (a.state === "spreading") return `${count(a.open)} so far …`;
  if (a.state === "ending") return "They are everybody's again in a moment.";
  return a.open ? `${count(a.open)} still open` : "none open";
}
