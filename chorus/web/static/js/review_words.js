/** How items, votes and decisions are put into words and colours in the review room. */
import { el, setVars } from "./dom.js";
import { inkOn, percent, plural, score } from "./format.js";
import { contradicts } from "./review_filter.js";
import { classesOf, wordsOf } from "./task.js";

const UNDONE = {
  approve: "Approval taken back", change: "Decision taken back", requeue: "Votes stand again",
  remove: "Not removed", accept_skip: "The skip is open again",
};
const STATE_WORDS = {
  needs_review: "Needs review", skipped: "Skipped", in_progress: "In progress", labeled: "Labeled",
  unlabeled: "Open", removed: "Removed",
};

export class Words {
  /** @param {{name: string, color: string}[]} classes */
  constructor(classes) {
    this._colors = new Map(classes.map((c) => [c.name, c.color]));
  }

  /** CSS variables of a class; none for a skip or a flag. */
  colors(name) {
    const color = this._colors.get(name);
    return color ? { c: color, "on-c": inkOn(color) } : {};
  }

  /** Colour variables of an answer: its class's where it is one; else none. */
  colorsOf(classes) {
    return classes?.length === 1 ? this.colors(classes[0]) : {};
  }

  /** An answer as chips in the colours of its classes. @param {string[]} classes */
  chips(classes, more = "") {
    const chip = (word, vars, kind) => {
      const node = el("span", { class: `rv-chip ${more} ${kind}` }, word);
      setVars(node, vars);
      return node;
    };
    return classes.length
      ? classes.map((name) => chip(name, this.colors(name), ""))
      : [chip(wordsOf([]), {}, "plain")];
  }

  /** A dot for each class of an answer, then its words. @param {?string[]} classes null: no label */
  dotted(classes, words) {
    const dots = (classes?.length ? classes : [null]).map((name) => {
      const dot = el("span", { class: "rv-dot", "aria-hidden": "true" });
      // A tile has the colour of its label: what is no class must not take that.
      setVars(dot, { c: "var(--state-skipped)", ...this.colors(name) });
      return dot;
    });
    return [...dots, el("span", { class: "rv-said" }, words)];
  }
}

export function stateWord(state) {
  return STATE_WORDS[state] ?? state;
}

/** The classes (of shapes, how many of each), or "skipped", "flagged". */
export function answerOf(vote) {
  if (vote.kind === "label") return wordsOf(vote.value.boxes ?? vote.value.polygons ?? classesOf(vote.value));
  return vote.kind === "skip" ? "skipped" : "flagged";
}

/** The classes of a vote; null where it is no label. */
export function votedOf(vote) {
  return vote.kind === "label" ? classesOf(vote.value) : null;
}

/** How many said what, most first: [[answer, its classes or null, [names]]]. */
export function tally(item) {
  const groups = new Map();
  for (const vote of item.votes.filter((v) => v.standing)) {
    const answer = answerOf(vote);
    const group = groups.get(answer) ?? [answer, votedOf(vote), []];
    group[2].push(vote.labeler);
    groups.set(answer, group);
  }
  return [...groups.values()].sort((a, b) => b[2].length - a[2].length);
}

/** Why it is here, in one line. */
export function why(item) {
  const flags = item.votes.filter((v) => v.standing && v.kind === "flag").map((v) => v.labeler);
  if (item.state === "needs_review" && flags.length) return `Flagged by ${flags.join(", ")}`;
  if (item.state === "needs_review") return "People disagree";
  if (item.flagged?.length) return `Flagged as a check by ${item.flagged.map((f) => f.name).join(", ")}`;
  if (item.state === "labeled" && item.source === "review") return "Decided by review";
  if (item.state === "labeled") return "Settled by votes";
  if (item.state === "skipped") return "Skipped: people could not tell";
  return stateWord(item.state);
}

/** "bird at 93 %, against people" */
export function modelWords(item) {
  if (!item.model) return null;
  const against = contradicts(item) ? ", against the people" : "";
  return `${score(item.model.score ?? 0)}${against}`;
}

export function sureWords(item) {
  const parts = [];
  if (item.agreement !== null) parts.push(`${percent(item.agreement, 0)} agree`);
  if (item.confidence !== null) parts.push(`${score(item.confidence)} sure`);
  return parts.join(" · ");
}

/** "Dana approved it as cat" for an item's newest decision. */
export function decidedWords(decided, me) {
  const who = decided.user_id === me ? "You" : decided.name;
  const classes = classesOf(decided);
  const as = classes === null ? "" : ` as ${wordsOf(decided.boxes ?? decided.polygons ?? classes)}`;
  const did = {
    approve: `approved it${as}`, change: `decided it${as}`, requeue: "sent it back",
    remove: "removed it", accept_skip: "accepted the skip", undo: "took the decision back",
    import: `imported it${as}`,
  }[decided.action] ?? "decided it";
  return `${who} ${did}`;
}

/** What was just done here: "Approved as cat", "12 sent back, 1 refused". */
export function doneWords(decision) {
  const { action, classes, many, seqs, refused } = decision;
  const said = classes === null ? "" : wordsOf(classes);
  if (many !== undefined) {
    const done = decision.done ?? seqs.length;
    const n = plural(done, "item");
    const what = {
      approve: `${n} approved`, change: `${n} changed to ${said}`, requeue: `${n} sent back`,
      remove: `${n} removed`, accept_skip: `${plural(done, "skip")} accepted`,
    }[action];
    const stopped = decision.state === "cancelled" ? ", then stopped" : "";
    return `${what}${stopped}${refusedWords(refused)}`;
  }
  return {
    approve: `Approved as ${said}`, change: `Decided: ${said}`, requeue: "Sent back to the labelers",
    remove: "Removed", accept_skip: "Skip accepted: removed",
  }[action];
}

function refusedWords(refused) {
  const n = refused.reduce((sum, r) => sum + (r.count ?? 1), 0);
  return n ? ` · ${n.toLocaleString("en")} refused: ${reasons(refused)}` : "";
}

/** "Approving 3,400 of 12,000" for what the room is doing now. */
export function runningWords({ action, done, of, stopping }) {
  if (stopping) return "Stopping …";
  if (of === null) return "Looking for the items …";
  const verb = {
    approve: "Approving", change: "Changing", requeue: "Sending back", remove: "Removing",
    accept_skip: "Accepting skips:", undo: "Taking back",
  }[action];
  return `${verb} ${done.toLocaleString("en")} of ${of.toLocaleString("en")}`;
}

/** Refusals by reason, most frequent first. */
function reasons(refused) {
  const counts = new Map();
  for (const { message, count } of refused) counts.set(message, (counts.get(message) ?? 0) + (count ?? 1));
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([message, n]) => `${n.toLocaleString("en")}× ${message.replace(/; look again$/, "")}`)
    .join("; ");
}

export function undoneWords({ action, undone, refused }) {
  if (undone === undefined) return UNDONE[action];
  return `${plural(undone, "decision")} taken back${refusedWords(refused)}`;
}
