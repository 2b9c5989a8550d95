/** What happens, newest first, in words; many votes of one person become one line. */
import { el, fill } from "./dom.js";
import { changeWords } from "./change_words.js";
import { plural } from "./format.js";

const MOST = 9;
const EVERY_MS = 500;

export class Feed {
  /** @param {HTMLElement} root @param {string} thing what an item is */
  constructor(root, thing) {
    this._root = root;
    this._thing = thing;
    this._lines = [];
    this._names = new Map();
    this._timer = 0;
  }

  people(labelers) {
    for (const p of labelers) this._names.set(p.user_id, p.name);
  }

  /** @param {{events: {type: string, body: object}[], votes: [string, number][]}} happened */
  take({ events, votes }) {
    for (const [who, n] of votes) {
      const newest = this._lines[0];
      if (newest?.who === who) Object.assign(newest, { votes: newest.votes + n, at: Date.now() });
      else this._put({ who, votes: n });
    }
    for (const { type, body } of events) {
      const text = body && words(type, body, this._thing);
      if (text) this._put({ text });
    }
    // A few draws a second, however many votes there are.
    if (!this._timer) this._timer = setTimeout(() => this._draw(), EVERY_MS);
  }

  _put(line) {
    this._lines = [{ at: Date.now(), ...line }, ...this._lines].slice(0, MOST);
  }

  _draw() {
    this._timer = 0;
    fill(this._root, ...this._lines.map((line) =>
      el("li", {},
        el("time", {}, new Date(line.at).toLocaleTimeString("en-GB")),
        el("span", {}, line.text ?? `${this._names.get(line.who) ?? "Somebody"}: ${plural(line.votes, "vote")}`))));
  }
}

function changed({ user_id: _, by, at: __, ...change }) {
  const said = changeWords(change).join("; ");
  return by ? `${by}: ${said}` : said;
}

/** What others are asked about because the model contradicts it. */
function lookedAgain(round) {
  return round.doubted?.asked ? `, ${plural(round.doubted.asked, "label")} to look at again` : "";
}

function words(type, body, thing) {
  switch (type) {
    case "round.started":
      return `Round ${body.round.number} begins with ${plural(body.round.labels, "label")}`;
    case "round.finished":
      return `Round ${body.round.number} done: ${plural(body.round.prelabeled ?? 0, "prelabel")}, ${body.round.clustered ?? 0} clustered${lookedAgain(body.round)}`;
    case "round.failed":
      return `Round ${body.round.number} did not finish`;
    case "round.cancelled":
      return `Round ${body.round.number} ${body.round.reason}`;
    case "item.needs_review":
      return "An item needs review";
    case "check.cast":
      return body.kind === "flag" ? `${body.name} flagged a gold ${thing}` : null;
    case "practice.ordered":
      return `${body.name} is to practise`;
    case "comment.added":
      return body.user_id === body.labeler_id ? `${body.name} commented on a ${thing}` : `${body.name} answered ${body.labeler}`;
    case "clusters.withdrawn":
      return `Clusters of round ${body.number} withdrawn: ${Math.round(100 * body.alike)} % alike`;
    case "priority.changed":
      return body.raised ? `${body.name} let ${plural(body.count, thing)} come first` : `${body.name} put ${plural(body.count, thing)} back in line`;
    case "page.closed":
      return body.reason === "taken_back" ? "A page was taken back" : null;
    case "member.paused":
      return body.paused ? "Somebody was paused" : "Somebody gets pages again";
    case "review.decided":
      return `Review: ${body.action}`;
    case "items.added":
      return `${plural(body.count, thing)} added`;
    case "member.joined":
      return `${body.name} joined`;
    case "project.changed":
      return changed(body);
    case "instructions.confirmed":
      return `${body.name} has read the instructions`;
    default:
      return null;
  }
}
