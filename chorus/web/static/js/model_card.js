/** The model: figures of its last round, why there are no prelabels, its five jobs. */
import { $, el, fill, num, setText, thead } from "./dom.js";
import { count, percent, plural, seconds } from "./format.js";
import { moreNeeded } from "./model_words.js";

const JOBS = ["featurize", "train", "validate", "infer", "cluster"];

/** @param {any} assist @param {{target: number, open: number}} project */
export function renderModel(assist, { target, open }) {
  const done = assist.rounds.filter((r) => r.state === "done");
  const last = done.at(-1) ?? null;
  const round = assist.round;
  setText($("#round-chip"), roundWords(assist, round));
  $("#round-chip").hidden = !round && !assist.running;
  figures(assist, last, target);
  reason(assist, last, open);
  jobs(assist);
  rows(done);
  const train = $("#train");
  train.disabled = assist.running || open === 0;
  setText($("#assist-line"), lineOf(assist));
}

/** The model as of a past moment: what its last round said. @param {any[]} rounds @param {number} target */
export function renderPastModel(rounds, target) {
  const done = rounds.filter((r) => r.state === "done");
  const newest = rounds.at(-1);
  setText($("#round-chip"), newest ? `round ${newest.number} ${newest.state}` : "");
  $("#round-chip").hidden = !newest;
  figures({}, done.at(-1) ?? null, target);
  rows(done);
}

function roundWords(assist, round) {
  if (assist.running) return round?.state === "running" ? `round ${round.number} runs` : "waits for features";
  if (!round) return "";
  return round.state === "done" ? `round ${round.number}, ${seconds(round.seconds)}` : `round ${round.number} ${round.state}`;
}

function figures(assist, last, target) {
  const values = last?.shapes ? boxFigures(last, target) : [
    [percent(last?.model_accuracy), `model accuracy, on items it never saw${last?.backbone ? `; sees by ${last.backbone}` : ""}`],
    [last?.threshold == null ? "–" : `≥ ${last.threshold.toFixed(3)}`, "prelabels from this confidence"],
    [percent(last?.lower_bound), `lower bound there; target ${percent(target, 0)}`],
    [last?.coverage ? percent(last.coverage, 0) : "–", "of what was open is above it"],
    [percent(last?.purity, 0), "expected purity of clustered pages"],
  ];
  if (last?.doubted?.items) {
    values.push([count(last.doubted.changed), `labels changed by a second look, of ${count(last.doubted.items)} that the model was sure are wrong`]);
  }
  if (!last?.shapes && assist.ordering && assist.ordering !== "random") {
    const share = percent(assist.mixing.queue, 0);
    values.push([percent(assist.mixing.labels, 0), `of the work by hand so far was chosen by the model; ${share} of what comes next is, the rest is drawn by chance to test it`]);
  }
  fill($("#figures"), ...values.map(([value, name]) => el("div", { class: "figure" }, el("b", {}, value), el("span", {}, name))));
}

/** Of a detector's round. */
function boxFigures(last, target) {
  return [
    [percent(last.map50), `mAP50: how well boxes are found on pictures that it never saw${last.backbone ? `; found by ${last.backbone}` : ""}`],
    [last.threshold == null ? "–" : `≥ ${last.threshold.toFixed(3)}`, "boxes shown from this score, of the class with the lowest"],
    [percent(last.lower_bound), `right at least, of the boxes shown; target ${percent(target, 0)}`],
    [percent(last.recall, 0), "of people's boxes would be shown: look for the others"],
    [last.threshold == null ? "–" : percent(last.coverage, 0), "of the pictures have boxes to show"],
  ];
}

function reason(assist, last, open) {
  const box = $("#reason");
  const why = last?.threshold == null ? assist.prelabel_reason : null;
  box.hidden = !why;
  const more = moreNeeded(assist.labels_needed, open, last ? "label" : assist.next_round_of);
  setText(box, why ? why + more : "");
}

function lineOf(assist) {
  if (assist.enabled === false) return assist.prelabel_reason ?? "Clustering and prelabels are switched off.";
  if (assist.featurized < assist.featurize_total) {
    const again = assist.featurize_pass > 1 ? " again" : "";
    return `The model looks at the items${again}: ${count(assist.featurized)} of ${count(assist.featurize_total)}.`;
  }
  if (assist.running) return "The model is learning from the newest labels.";
  return assist.next_round_at ? `The next round starts at ${plural(assist.next_round_at, assist.next_round_of)}.` : "";
}

function jobs(assist) {
  const room = $("#jobs");
  if (!room.children.length) {
    fill(room, ...JOBS.map((kind) =>
      el("li", { class: "job", dataset: { kind } },
        el("b", {}, kind, el("span", { class: "muted job-seconds" })),
        el("progress", { max: 1, value: 0, "aria-label": kind }),
        el("span", { class: "job-state" }))));
  }
  for (const kind of JOBS) {
    const node = $(`[data-kind="${kind}"]`, room);
    const job = assist.jobs.find((j) => j.kind === kind);
    // Between rounds featurize runs by itself, ahead of need.
    const ahead = kind === "featurize" && assist.featurized < assist.featurize_total;
    const share = ahead ? assist.featurized / assist.featurize_total : (job?.progress ?? 0);
    const state = ahead ? "running" : (job?.state ?? "waiting");
    node.dataset.state = state;
    $("progress", node).value = share;
    const tries = job && job.attempts > 1 ? `, try ${job.attempts}` : "";
    setText($(".job-state", node), `${job || ahead ? state : "not yet"}${tries}${job?.error ? `: ${job.error}` : ""}`);
    setText($(".job-seconds", node), job?.seconds != null ? seconds(job.seconds) : "");
  }
}

function rows(done) {
  const head = ["Round", "Labels", "Took", "Accuracy", "Threshold", "Lower bound", "Coverage", "Prelabels", "Clustered"];
  fill($("#rounds-table"),
    thead(head, { numbers: 1 }),
    el("tbody", {}, ...done.slice().reverse().map((r) =>
      el("tr", {}, el("td", {}, r.number), num(count(r.labels)), num(seconds(r.seconds)), num(percent(r.model_accuracy)),
        num(r.threshold == null ? "–" : r.threshold.toFixed(3)), num(percent(r.lower_bound)), num(percent(r.coverage, 0)),
        num(count(r.prelabeled ?? 0)), num(count(r.clustered ?? 0))))));
}
