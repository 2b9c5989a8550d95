/** One round's threshold card as pictures and tables. */
import { Chart } from "./charts.js";
import { $, el, fill, setText, thead } from "./dom.js";
import { count, percent, plural } from "./format.js";
import { heat } from "./heat.js";
import { curveOption, learningOption, reliabilityOption } from "./model_charts.js";
import { moreNeeded } from "./model_words.js";

/** More classes than these do not fit a heat map; the table has them all. */
const CLASSES_MOST = 30;

export class CardView {
  /** @param {HTMLElement} root an empty element @param {(kind: string) => void} onLog a job's log is wanted */
  constructor(root, onLog) {
    this._root = root;
    this._onLog = onLog;
    const chart = (name, label) => el("div", { class: `chart ${name}`, role: "img", "aria-label": label });
    fill(root,
      el("div", { class: "row card-head" }, el("h3", { class: "card-title" }), el("span", { class: "chip-plain card-state" }), el("span", { class: "spring" }), el("span", { class: "card-model" })),
      el("div", { class: "figures" }),
      el("div", { class: "why", hidden: true }, el("p", {}), el("h4", {}, "What it has learned so far"), chart("learning", "Accuracy of the model by the number of labels")),
      el("div", { class: "card-charts" },
        el("figure", {}, el("figcaption", {}, "What a threshold would give: accuracy with its lower bound, and coverage"), chart("curve", "Accuracy, lower bound and coverage by confidence"),
          el("p", { class: "muted curve-none" }, "Too few labels count as evidence for a curve.")),
        el("figure", {}, el("figcaption", {}, "Is it as right as it says? On the dashed line it is"), chart("reliability", "Accuracy by confidence"))),
      el("div", { class: "card-tables" },
        el("div", {}, el("h4", {}, "Classes"), el("div", { class: "table-scroll" }, el("table", { class: "table per-class" }))),
        el("div", { class: "mixed" }, el("h4", {}, "Mixed up"), el("p", { class: "small muted mixed-note" }), el("div", { class: "table-scroll" }, el("table", { class: "heat confusion" })))),
      el("p", { class: "small muted card-logs" }));
    this._curve = new Chart($(".curve", root), curveOption);
    this._reliability = new Chart($(".reliability", root), reliabilityOption);
    this._learning = new Chart($(".learning", root), learningOption);
  }

  /** A sentence in place of the card: nothing yet, or why it cannot be shown. */
  empty(title, text) {
    this._root.dataset.empty = "true";
    setText($(".card-title", this._root), title);
    $(".card-state", this._root).hidden = true;
    fill($(".card-model", this._root));
    $(".why", this._root).dataset.tone = "";
    $(".why", this._root).hidden = false;
    setText($(".why p", this._root), text);
    this._showLearning([], 1);
  }

  /**
   * @param {any} found the answer of …/rounds/{n}/card @param {any[]} done rounds that finished, up to this one
   * @param {string} href of its model @param {number} left items without a label when it began
   */
  show({ round, jobs, card, classes, model }, done, href, left) {
    const root = this._root;
    setText($(".card-title", root), `Round ${round.number}, ${plural(round.labels, "label")}`);
    const state = $(".card-state", root);
    state.hidden = false;
    state.dataset.tone = { done: "good", running: "", failed: "bad" }[round.state] ?? "warn";
    setText(state, round.state);
    fill($(".card-model", root), model.available
      ? el("a", { class: "button", href, download: "" }, "Download this model")
      : el("span", { class: "small muted" }, model.reason));
    fill($(".card-logs", root), "Logs of its jobs: ", ...jobs.flatMap((job) => [
      el("button", { class: "link", type: "button", onclick: () => this._onLog(job.kind) }, job.kind), job.error ? ` (${job.error}) ` : " ",
    ]));
    root.dataset.empty = String(card === null);
    this._showWhy(round, card, done, left);
    if (card === null) return;
    fill($(".figures", root), ...figures(card).map(([value, name]) => el("div", { class: "figure" }, el("b", {}, value), el("span", {}, name))));
    // A detector's card has neither: each class has a threshold of its own.
    $(".card-charts", root).hidden = Boolean(card.shapes);
    const drawn = card.curve.length > 1;
    $(".curve", root).hidden = !drawn;
    $(".curve-none", root).hidden = drawn;
    if (drawn) this._curve.set(card);
    this._reliability.set(card.reliability);
    perClass($(".per-class", root), card, classes);
    // Of label sets there is none: a class that is missed is not taken for another one.
    const sets = !card.confusion?.length;
    $(".mixed", root).hidden = sets;
    if (sets) return;
    const names = classes.slice(0, card.confusion.length).map((c) => c.name);
    const fits = names.length <= CLASSES_MOST;
    setText($(".mixed-note", root), fits ? "Rows: people's label. Columns: what the model says of it, never having seen it." : `With ${names.length} classes this does not fit; see the table of classes.`);
    $(".confusion", root).hidden = !fits;
    if (fits) confusion($(".confusion", root), card.confusion, names);
  }

  _showWhy(round, card, done, left) {
    const root = this._root;
    const why = $(".why", root);
    const text = card === null ? withoutCard(round) : card.threshold === null ? noPrelabels(card, left) : "";
    why.hidden = !text;
    why.dataset.tone = card?.audit?.breached ? "bad" : "";
    setText($("p", why), text);
    this._showLearning(card === null ? [] : done, card?.target ?? 1);
  }

  _showLearning(rounds, target) {
    const shown = rounds.length > 1;
    $(".learning", this._root).hidden = !shown;
    $(".why h4", this._root).hidden = !shown;
    if (shown) this._learning.set({ rounds, target });
  }
}

function withoutCard(round) {
  if (round.state === "running") return "The card comes when this round has validated what it learned.";
  return `This round has no card: ${round.reason ?? round.state}.`;
}

function noPrelabels(card, left) {
  return `${card.reason ?? "No prelabels."}${moreNeeded(card.labels_needed, left, "label")}`;
}

function figures(card) {
  if (card.shapes) return boxFigures(card);
  const out = [[percent(card.model_accuracy), `model accuracy, on ${count(card.labels)} items it never saw`]];
  if (card.threshold === null) {
    out.push(["none", "threshold"], [count(card.n), "of the labels count as evidence for one"], [percent(card.target, 0), "target"]);
  } else {
    out.push(
      [card.threshold.toFixed(3), "threshold: prelabels from this confidence"],
      [percent(card.lower_bound), `right at least, at ${percent(1 - card.delta, 0)} confidence; target ${percent(card.target, 0)}`],
      [percent(card.accuracy), `right of the ${count(card.n_above)} above it`],
      [percent(card.coverage, 0), `coverage of the ${count(card.n)} that count as evidence`],
    );
  }
  if (card.audit?.n) {
    out.push([percent(card.audit.right / card.audit.n), `right in the blind audit of ${count(card.audit.n)} (${percent(card.audit.low)} to ${percent(card.audit.high)})`]);
  }
  return out;
}

/** Of a detector's card. */
function boxFigures(card) {
  const out = [[percent(card.map50), `mAP50, on ${count(card.evidence)} pictures it never learned from, whose people saw no predicted boxes`]];
  if (card.threshold === null) {
    out.push(["none", "no class's boxes are shown"], [percent(card.target, 0), "target: share of the boxes shown that must be right"]);
  } else {
    out.push(
      [percent(card.recall, 0), "of people's boxes would be shown: people must look for the others"],
      [percent(card.accuracy), `right of the ${count(card.n_above)} that would be shown`],
      [percent(card.lower_bound), `right at least, in the worst class shown, at ${percent(1 - card.delta, 0)} confidence; target ${percent(card.target, 0)}`],
      [percent(card.coverage, 0), "of the pictures have boxes to show"],
    );
  }
  if (card.audit?.n) {
    out.push([percent(card.audit.right / card.audit.n), `right, a picture's mean, in the blind audit of ${plural(card.audit.n, "picture")}`]);
  }
  return out;
}

const BOX_COLUMNS = [
  ["Boxes", (r) => count(r.n)],
  ["AP50", (r) => percent(r.ap50)],
  ["Shown from", (r) => (r.threshold != null ? r.threshold.toFixed(3) : r.waits ? "not yet" : "not shown")],
  ["Right", (r) => percent(r.precision)],
  ["At least", (r) => percent(r.lower_bound)],
  ["Found", (r) => percent(r.recall, 0)],
];

function perClass(table, card, classes) {
  const rows = card.per_class;
  const some = (key) => rows.some((r) => r[key] !== undefined && r[key] !== null);
  const columns = card.shapes ? BOX_COLUMNS : [
    ["Labels", (r) => count(r.n)],
    ["Found", (r) => percent(r.recall, 0)],
    ["Right when said", (r) => percent(r.precision, 0)],
    some("accuracy") && ["Accuracy", (r) => percent(r.accuracy)],
    some("cut") && ["Said from", (r) => percent(r.cut, 0)],
    some("threshold") && ["Threshold", (r) => (r.threshold == null ? "none" : r.threshold.toFixed(3))],
  ].filter(Boolean);
  fill(table,
    thead(["Class", ...columns.map(([name]) => name)], { numbers: 1 }),
    el("tbody", {}, ...rows.map((r) => el("tr", {},
      el("td", {}, el("span", { class: "swatch", vars: { c: classes[r.class]?.color ?? "transparent" } }), " ", classes[r.class]?.name ?? r.class),
      ...columns.map(([, value]) => el("td", { class: "num" }, value(r)))))));
}

function confusion(table, counts, names) {
  heat(table, names, names, (r, c) => {
    const total = counts[r].reduce((a, b) => a + b, 0);
    const n = counts[r][c];
    return {
      text: n ? count(n) : "", share: total ? n / total : 0,
      hue: r === c ? "var(--state-labeled)" : "var(--bad)",
      title: `${names[r]}, said to be ${names[c]}: ${count(n)} of ${count(total)}`,
    };
  });
}
