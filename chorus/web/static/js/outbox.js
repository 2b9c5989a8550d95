/**
 * Votes, and comments, on their way: kept in localStorage from the moment they are given until the server
 * has acknowledged them, so neither a lost connection nor a reload loses one.
 *
 * Each vote has its own key: two tabs of one person never overwrite each other. Sending a vote
 * twice is harmless, its `vote_id` makes it one. Messages overtake each other at the server: a
 * correction leaves when what it corrects is acknowledged, or in the same message after it.
 *
 * Events: `change` when the number of votes on their way changes, `kept` when the server has one
 * (detail: {vote, reply}), `refused` when the server
 * will not have one, or no message can hold it (detail: {type, vote, error}).
 */
import { ApiFailure } from "./api.js";
import { faultOf } from "./frames.js";

const RETRY_MS = 2_000;
/**
 * Votes in one message, and its characters: as the server takes them (docs/protocol.md), even where
 * each character takes three bytes.
 */
const VOTES_MOST = 64;
const CHARS_MOST = 64 * 1024;

export class Outbox extends EventTarget {
  /**
   * @param {{connected: boolean, request: (type: string, body: object) => Promise<any>}} socket
   * @param {string} userId
   * @param {string} projectId
   * @param {Storage} [storage]
   */
  constructor(socket, userId, projectId, storage = localStorage) {
    super();
    this._socket = socket;
    this._storage = storage;
    this._prefix = `chorus.vote.${userId}.${projectId}.`;
    /** @type {Map<string, {at: number, type: string, body: any, sending: boolean}>} */
    this._votes = new Map();
    this._at = Date.now();
    this._load();
  }

  get size() {
    return this._votes.size;
  }

  /** Does this vote wait for its acknowledgement? */
  has(voteId) {
    return this._votes.has(voteId);
  }

  /** Does any vote on this item? */
  hasItem(itemId) {
    return [...this._votes.values()].some((v) => v.body.item_id === itemId);
  }

  /**
   * Keep and send these votes, or what another command with an id of ours says.
   * @returns {boolean} false: one of them is too large to be sent. It is `refused`, and none is kept
   */
  put(bodies, type = "vote.cast") {
    const faults = bodies.map((body) => ({ type, vote: body, error: faultOf(type, body) })).filter(({ error }) => error);
    for (const detail of faults) this.dispatchEvent(new CustomEvent("refused", { detail }));
    if (faults.length) return false;
    for (const body of bodies) {
      const at = ++this._at;
      this._votes.set(idOf(body), { at, type, body, sending: false });
      try {
        this._storage.setItem(this._prefix + idOf(body), JSON.stringify({ at, type, body }));
      } catch {
        // Storage full or forbidden: memory still has it as long as the tab lives.
      }
    }
    this._changed();
    this.flush();
    return true;
  }

  /** Send everything that is not on its way and may leave, in the order given. */
  flush() {
    if (!this._socket.connected) return;
    const waiting = [...this._votes.values()].filter((v) => !v.sending);
    for (const some of bundles(waiting.sort((a, b) => a.at - b.at), (id) => this.has(id))) this._send(some);
  }

  async _send(votes) {
    for (const vote of votes) vote.sending = true;
    try {
      const replies = await this._ask(votes);
      votes.forEach((vote, n) => this._answered(vote, replies[n]));
    } catch (error) {
      if (error instanceof ApiFailure) {
        for (const vote of votes) this._answered(vote, { error });
      } else {
        for (const vote of votes) vote.sending = false; // connection lost: sent again when it is back
      }
    }
  }

  /** What the server says of each of them. */
  async _ask(votes) {
    const [{ type, body }] = votes;
    if (votes.length === 1) return [await this._socket.request(type, body)];
    const bare = votes.map(({ body: { project_id, ...vote } }) => vote);
    const reply = await this._socket.request("votes.cast", { project_id: body.project_id, votes: bare });
    return reply.votes;
  }

  _answered(vote, reply) {
    if (!reply.error) {
      this._done(vote);
      this.dispatchEvent(new CustomEvent("kept", { detail: { vote: vote.body, reply } }));
    } else if (reply.error.retry || this.has(vote.body.supersedes)) {
      // Trouble of the server's own: with this vote, or with the one before that it corrects.
      vote.sending = false;
      setTimeout(() => this.flush(), RETRY_MS);
    } else {
      this._done(vote);
      const error = reply.error instanceof ApiFailure ? reply.error : new ApiFailure(reply.error);
      this.dispatchEvent(new CustomEvent("refused", { detail: { type: vote.type, vote: vote.body, error } }));
    }
  }

  _done(vote) {
    this._votes.delete(idOf(vote.body));
    try {
      this._storage.removeItem(this._prefix + idOf(vote.body));
    } catch {
      // As above.
    }
    this._changed();
    const held = [...this._votes.values()].some((v) => !v.sending && v.body.supersedes === idOf(vote.body));
    if (held) this.flush();
  }

  _load() {
    try {
      for (let i = 0; i < this._storage.length; i++) {
        const key = this._storage.key(i);
        if (!key?.startsWith(this._prefix)) continue;
        const { at, type = "vote.cast", body } = JSON.parse(this._storage.getItem(key) ?? "");
        this._votes.set(idOf(body), { at, type, body, sending: false });
        this._at = Math.max(this._at, at);
      }
    } catch {
      // Unreadable storage holds nothing we could send.
    }
  }

  _changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** What makes sending twice harmless. */
function idOf(body) {
  return body.vote_id ?? body.comment_id;
}

/**
 * What goes in one message each: votes that follow each other, and anything else alone. What corrects
 * an `unkept` vote that is not in the same one is left out.
 * @param {{type: string, body: any}[]} waiting
 * @param {(voteId: string) => boolean} unkept
 */
export function bundles(waiting, unkept) {
  const found = [];
  let size = 0;
  for (const one of waiting) {
    const before = one.body.supersedes;
    const last = found.at(-1);
    const length = JSON.stringify(one.body).length;
    const joins = last && one.type === "vote.cast" && last[0].type === "vote.cast"
      && last.length < VOTES_MOST && size + length <= CHARS_MOST;
    if (unkept(before) && !(joins && last.some(({ body }) => idOf(body) === before))) continue;
    if (joins) last.push(one);
    else found.push([one]);
    size = joins ? size + length : length;
  }
  return found;
}
