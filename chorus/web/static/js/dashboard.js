/** The supervisor's dashboard: one subscription to the stats, one to the events. */
import { $, boot, el, fill, setText, setVars } from "./dom.js";
import { api } from "./api.js";
import { Chart, labelsOption, progressOption, roundsOption } from "./charts.js";
import { Feed } from "./feed.js";
import { Socket } from "./socket.js";
import { ago, count, percent, plural } from "./format.js";
import { renderModel } from "./model_card.js";
import { renderPace } from "./pace_card.js";
import { renderVotes } from "./votes_card.js";
import { NO_CLASS } from "./chips.js";
import { NONE_WORD, taskOf } from "./task.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";

const { project } = boot();
const socket = new Socket();
const at = (path) => `/p/${project.project_id}${path}`;
const STATES = [
  ["labeled", "labeled"],
  ["in_progress", "in progress"],
  ["needs_review", "needs review"],
  ["skipped", "skipped"],
  ["unlabeled", "unlabeled"],
];
const KINDS = ["prelabeled", "clustered", "manual"];

const progress = new Chart($("#progress-chart"), progressOption);
const labels = new Chart($("#labels-chart"), labelsOption);
const rounds = new Chart($("#rounds-chart"), roundsOption);
const feed = new Feed($("#feed"), taskOf(project).thing);
let classes = project.classes;
let paused = project.state === "paused";

let latest = null;

function render(stats) {
  latest = stats;
  paused = stats.state === "paused";
  renderProgress(stats.counts);
  renderVotes(stats);
  renderPace(stats.pace);
  $("#flagged").hidden = stats.pace.flagged === 0;
  setText($("#flagged"), `${plural(stats.pace.flagged, "flag")} on gold`);
  renderQueue(stats.queue);
  renderModel(stats.assist, { target: project.target, open: sum(stats.queue) });
  rounds.set({
    target: project.target,
    rounds: stats.assist.rounds.filter((r) => r.state === "done"),
  });
  renderLabels(stats.labels);
  renderLabelers(stats.labelers);
  feed.people(stats.labelers);
  const button = $("#pause");
  button.disabled = false;
  setText(button, paused ? "Resume" : "Pause");
  button.classList.toggle("primary", paused);
}

const sum = (numbers) => Object.values(numbers).reduce((a, b) => a + b, 0);

function renderProgress(counts) {
  const share = counts.items ? counts.labeled / counts.items : 0;
  setText($("#done"), percent(share, share > 0 && share < 1 ? 1 : 0));
  setText($("#done-of"), `${count(counts.labeled)} of ${count(counts.items)} labeled`);
  $("#no-items").hidden = counts.items > 0;
  $("#progress-chart").hidden = counts.items === 0;
  progress.set(STATES.map(([key, name]) => ({ key, name, value: counts[key] })));
  const room = $("#states");
  if (!room.children.length) fill(room, ...STATES.map(([key, name]) => stateSign(key, name)));
  for (const [key] of STATES) setText($(`[data-state="${key}"] b`, room), count(counts[key]));
}

function stateSign(key, name) {
  const reviewed = { needs_review: "needs_review", skipped: "skipped", labeled: "labeled" }[key];
  const text = reviewed ? el("a", { href: at(`/review?state=${reviewed}`) }, name) : name;
  return el("span", { class: "state", dataset: { state: key }, vars: { c: `var(--state-${key})` } }, el("b", {}, "0"), text);
}

function renderQueue(queue) {
  const room = $("#queue");
  if (!room.children.length) {
    fill(room, ...KINDS.map((kind) =>
      el("div", { class: "lane", dataset: { kind }, vars: { k: `var(--kind-${kind})` } },
        el("span", { class: "name" }, kind),
        el("span", { class: "track" }, el("span", { class: "fill" })),
        el("b", {}, "0"))));
  }
  const total = Math.max(1, sum(queue));
  for (const kind of KINDS) {
    const lane = $(`[data-kind="${kind}"]`, room);
    setVars(lane, { w: `${(100 * queue[kind]) / total}%` });
    setText($("b", lane), count(queue[kind]));
  }
}

function renderLabels(counts) {
  const rows = classes.map((c) => ({ name: c.name, color: c.color, value: counts[c.name] ?? 0 }));
  if ("" in counts) rows.push({ name: NONE_WORD, color: NO_CLASS.c, value: counts[""] });
  labels.set(rows);
  fill($("#labels-table"),
    el("thead", {}, el("tr", {}, el("th", {}, "Class"), el("th", { class: "num" }, "Labeled"))),
    el("tbody", {}, ...rows.map((r) => el("tr", {}, el("td", {}, r.name), el("td", { class: "num" }, count(r.value))))));
}

function renderLabelers(people) {
  const here = people.filter((p) => p.here).length;
  setText($("#here"), here ? `${here} here now` : "");
  $("#here").hidden = here === 0;
  const table = $("#labelers");
  if (!people.length) {
    fill(table, el("tbody", {}, el("tr", {}, el("td", { class: "muted" }, "Nobody has labeled yet. ", el("a", { href: at("/settings#people") }, "Invite people"), "."))));
    return;
  }
  const sorted = [...people].sort((a, b) => Number(b.here) - Number(a.here) || b.votes - a.votes);
  const head = ["Name", "Sees now", "Labels", "Per hour", "Skips", "Prelabels changed", "Last vote"];
  fill(table,
    el("thead", {}, el("tr", {}, ...head.map((h, i) => el("th", { class: i > 1 ? "num" : "" }, h)))),
    el("tbody", {}, ...sorted.map(labelerRow)));
}

function labelerRow(p) {
  const num = (text) => el("td", { class: "num" }, text);
  const kind = p.here && p.page_kind;
  return el("tr", { dataset: { user: p.user_id } },
    el("td", {}, el("span", { class: "presence", dataset: { here: String(p.here) }, title: p.here ? "here" : "away" }), p.name),
    el("td", {}, kind ? el("span", { class: "chip-plain", dataset: { kind } }, kind) : ""),
    num(count(p.labels)), num(count(Math.round(p.per_hour ?? 0))), num(count(p.skips)),
    num(p.prelabels_seen ? `${count(p.prelabels_changed)} of ${count(p.prelabels_seen)}` : "–"),
    num(ago(p.last_at)));
}

async function command(button, type, body = {}) {
  button.disabled = true;
  try {
    await socket.request(type, { project_id: project.project_id, ...body });
  } catch (error) {
    toast(error.message || "No connection: try again when you are back.", "bad");
    button.disabled = false;
  }
}
$("#pause").addEventListener("click", (e) => command(e.target, paused ? "project.resume" : "project.pause"));
$("#train").addEventListener("click", (e) => command(e.target, "project.train"));

/** New names and colours of classes: the event has the names alone. */
async function follow() {
  try {
    ({ classes } = await api("GET", `/api/projects/${project.project_id}`));
    if (latest) renderLabels(latest.labels);
  } catch {
    // The next change, or a reload, brings them.
  }
}

socket.addEventListener("open", async () => {
  const topic = `project/${project.project_id}`;
  try {
    await socket.request("subscribe", { topic: `${topic}/stats` }, (frame) => render(frame.body));
    await socket.request("subscribe", { topic: `${topic}/events` }, (frame) => {
      if (frame.type === "project.changed" && frame.body?.classes) follow();
      feed.take(frame);
    });
  } catch (error) {
    if (error.code) toast(error.message, "bad");
  }
});
showConnection(socket);
socket.connect();
