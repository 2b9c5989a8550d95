/** The five jobs of the newest round, live, and what can be done about it. */
import { $, el, fill, setText } from "./dom.js";
import { count, plural, seconds } from "./format.js";

const JOBS = ["featurize", "train", "validate", "infer", "cluster"];
const OVER = ["failed", "cancelled", "replaced", "interrupted"];

export class JobsView {
  /** @param {HTMLElement} root @param {{onLog: (number: number, kind: string) => void}} options */
  constructor(root, { onLog }) {
    this._root = root;
    this._assist = null;
    this._at = 0;
    fill($(".jobs", root), ...JOBS.map((kind) =>
      el("li", { class: "job", dataset: { kind } },
        el("b", {}, kind, el("span", { class: "muted job-seconds" })),
        el("progress", { max: 1, value: 0, "aria-label": kind }),
        el("span", { class: "job-state" }),
        el("button", { class: "link job-log", type: "button", onclick: () => this._assist?.round && onLog(this._assist.round.number, kind) }, "log"))));
    // A job that reports no progress still takes its time.
    setInterval(() => this._assist?.running && this._draw(), 1000);
  }

  /** @param {any} assist */
  render(assist) {
    this._assist = assist;
    this._at = Date.now();
    this._draw();
  }

  _draw() {
    const assist = this._assist;
    const { round, running, landing } = assist;
    const live = running && round?.state === "running";
    setText($(".round-chip", this._root), chip(assist));
    $(".round-chip", this._root).dataset.tone = live ? "" : { done: "good", failed: "bad" }[round?.state] ?? "warn";
    $(".round-chip", this._root).hidden = !round && !running;
    const why = whyOver(assist, live);
    $(".round-why", this._root).hidden = !why;
    setText($(".round-why", this._root), why);
    setText($(".assist-line", this._root), line(assist));
    let before = null;
    for (const kind of JOBS) {
      const job = assist.jobs.find((j) => j.kind === kind);
      this._drawJob($(`[data-kind="${kind}"]`, this._root), job, live, before);
      if (job && job.state !== "skipped" && job.state !== "done") before ??= kind;
    }
    const train = $("#train");
    train.disabled = Boolean(assist.train_blocked);
    setText($("#blocked"), !running && assist.train_blocked ? `Not now: ${assist.train_blocked.replace(/\.$/, "")}.` : "");
    const cancel = $("#cancel");
    cancel.hidden = !running;
    cancel.disabled = landing || !live;
    cancel.title = landing ? "Too late: the answers are being handed out" : "";
    const over = !running && round && OVER.includes(round.state);
    $("#retry").hidden = !over;
    $("#retry").disabled = train.disabled;
    train.hidden = over;
  }

  _drawJob(node, job, live, before) {
    const running = job?.state === "running";
    const passed = running ? (Date.now() - this._at) / 1000 : 0;
    node.dataset.state = job?.state ?? "none";
    $("progress", node).value = job?.progress ?? 0;
    setText($(".job-seconds", node), job?.seconds != null ? seconds(job.seconds + passed) : "");
    setText($(".job-state", node), words(job, live, before));
    $(".job-log", node).hidden = job?.seconds == null;
  }
}

/** What became of the round before the one that runs, or of the newest one. */
function whyOver({ round, rounds }, live) {
  const last = live ? rounds.findLast((r) => r.number < round.number) : round;
  if (!last?.reason) return "";
  if (last.state === "replaced") return `Round ${last.number} was ${last.reason}.`;
  return !live && OVER.includes(last.state) ? `Round ${last.number} ended without a result: ${last.reason}.` : "";
}

function words(job, live, before) {
  if (!job) return "not yet";
  const tries = job.attempts > 1 ? `, attempt ${job.attempts}` : "";
  if (job.state === "cancelled" && job.seconds == null) return "did not run";
  if (job.state === "waiting") return live && before ? `waits for ${before}` : "did not run";
  if (job.state === "running" && job.ahead) return `waits for its turn: ${plural(job.ahead, "other job")} before it`;
  if (job.state === "running") return `runs, ${Math.round(100 * job.progress)} %${tries}`;
  if (job.state === "skipped") return "switched off";
  return `${job.state}${tries}${job.error ? `: ${job.error}` : ""}`;
}

function chip({ round, running, landing }) {
  if (landing) return `round ${round.number}: its answers go to the queues`;
  if (running) return round?.state === "running" ? `round ${round.number} runs` : "a round begins";
  if (!round) return "";
  return round.state === "done" ? `round ${round.number}, ${seconds(round.seconds)}` : `round ${round.number} ${round.state}`;
}

function line(assist) {
  if (!assist.enabled) return assist.prelabel_reason ?? "Clustering and prelabels are switched off.";
  if (assist.featurized < assist.featurize_total) {
    return `The model looks at the items: ${count(assist.featurized)} of ${count(assist.featurize_total)}.`;
  }
  return assist.next_round_at ? `The next round starts by itself at ${plural(assist.next_round_at, assist.next_round_of)}.` : "";
}
