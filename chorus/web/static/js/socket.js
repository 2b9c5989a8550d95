/**
 * The websocket: requests with answers, subscriptions, and a connection that comes back.
 *
 * Events: `open` after every `welcome` (detail: its body), `lost` when the connection is gone,
 * `ended` when it will not be tried again (detail: {reason: "signed_out"|"replaced"|…}).
 */
import { ApiFailure, api } from "./api.js";
import { frameOf } from "./frames.js";
import { heard } from "./server_time.js";

const WAIT_FIRST_MS = 250;
const WAIT_MOST_MS = 10_000;
const PING_EVERY_MS = 15_000;
const PING_PATIENCE_MS = 6_000;
/** After these the server does not want us back by ourselves. */
const FINAL = new Set(["session_ended", "replaced"]);

/** The connection went away before the answer came: nobody knows whether it was done. */
export class ConnectionLost extends Error {}

/** How long to wait before try number `attempt` (0, 1, …), in ms, for a `random` in [0, 1). */
function waitBefore(attempt, random) {
  const most = Math.min(WAIT_MOST_MS, WAIT_FIRST_MS * 2 ** attempt);
  return Math.max(WAIT_FIRST_MS, most * (0.5 + random / 2));
}

export class Socket extends EventTarget {
  /** @param {string} [url] */
  constructor(url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`) {
    super();
    this.url = url;
    this.connected = false;
    this.ended = false;
    this._ws = null;
    this._id = 0;
    this._attempt = 0;
    this._timer = 0;
    this._waiting = new Map();
    this._subs = new Map();
    window.addEventListener("offline", () => this._drop());
    window.addEventListener("online", () => this._now());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this._now();
    });
    setInterval(() => this._ping(), PING_EVERY_MS);
  }

  connect() {
    if (this._ws !== null || this.ended) return;
    clearTimeout(this._timer);
    this._timer = 0;
    const ws = new WebSocket(this.url);
    this._ws = ws;
    ws.addEventListener("message", (e) => this._ws === ws && this._receive(JSON.parse(e.data)));
    ws.addEventListener("close", () => this._ws === ws && this._closed());
  }

  /**
   * One command. Rejects with `ApiFailure` (too_large: it was not sent), or `ConnectionLost` where no
   * answer came.
   * @param {string} type
   * @param {object} body
   * @param {(frame: {type: string, body: any, seq?: number}) => void} [onPush] what is pushed
   *   on this command's subscription, until the connection is lost
   * @returns {Promise<any>}
   */
  request(type, body, onPush) {
    if (!this.connected) return Promise.reject(new ConnectionLost());
    const id = ++this._id;
    return new Promise((resolve, reject) => {
      const frame = frameOf(id, type, body);
      if (onPush) this._subs.set(id, onPush);
      this._waiting.set(id, { resolve, reject });
      this._ws.send(frame);
    });
  }

  _receive(frame) {
    if (frame.re !== undefined) {
      const waiting = this._waiting.get(frame.re);
      this._waiting.delete(frame.re);
      if (frame.ok) waiting?.resolve(frame.body);
      else waiting?.reject(new ApiFailure(frame.error));
    } else if (frame.sub !== undefined) {
      this._subs.get(frame.sub)?.(frame);
    } else if (frame.type === "welcome") {
      this.connected = true;
      this._attempt = 0;
      heard(frame.body.now);
      this.dispatchEvent(new CustomEvent("open", { detail: frame.body }));
    } else if (frame.type === "bye" && FINAL.has(frame.body.reason)) {
      this._end(frame.body.reason);
    }
  }

  async _ping() {
    if (!this.connected) return;
    const ws = this._ws;
    // A dead network closes nothing by itself: silence is the only sign.
    const timer = setTimeout(() => this._ws === ws && this._drop(), PING_PATIENCE_MS);
    try {
      heard((await this.request("ping", {})).now);
    } catch {
      // Lost meanwhile, and noticed.
    } finally {
      clearTimeout(timer);
    }
  }

  _drop() {
    if (this._ws === null) return;
    this._ws.close();
    this._closed();
  }

  _closed() {
    const opened = this.connected;
    this._ws = null;
    this.connected = false;
    this._id = 0;
    this._subs.clear();
    const waiting = [...this._waiting.values()];
    this._waiting.clear();
    for (const { reject } of waiting) reject(new ConnectionLost());
    if (this.ended) return;
    this.dispatchEvent(new CustomEvent("lost"));
    this._timer = setTimeout(() => this.connect(), waitBefore(this._attempt++, Math.random()));
    if (!opened) this._stillSignedIn();
  }

  /** A refused handshake looks like a dead server to the browser; REST tells them apart. */
  async _stillSignedIn() {
    try {
      await api("GET", "/api/me");
    } catch (error) {
      if (error instanceof ApiFailure && error.code === "not_signed_in") this._end("signed_out");
    }
  }

  _now() {
    if (this._ws === null && !this.ended) this.connect();
  }

  _end(reason) {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this._timer);
    this._ws?.close();
    this.dispatchEvent(new CustomEvent("ended", { detail: { reason } }));
  }
}
