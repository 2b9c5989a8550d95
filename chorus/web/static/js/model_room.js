/** The model's room: its jobs, each round's card, how it came about, what can be taken away. */
import { $, boot, el, fill, num, setText, thead } from "./dom.js";
import { api } from "./api.js";
import { CardView } from "./card_view.js";
import { Chart } from "./charts.js";
import { count, percent, plural, seconds } from "./format.js";
import { historyOption } from "./model_charts.js";
import { moreNeeded } from "./model_words.js";
import { JobsView } from "./jobs_view.js";
import { Socket } from "./socket.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";
import { TuningView } from "./tuning_view.js";

const { project } = boot();
const socket = new Socket();
const root = `/api/projects/${project.project_id}`;
const address = new URLSearchParams(location.search);

let stats = null;
/** Figures of every round by number. */
const rounds = new Map();
/** Rounds in view; null: the newest that finished, and nothing beside it. */
let chosen = Number(address.get("round")) || null;
let beside = Number(address.get("with")) || null;

const cards = [$("#card"), $("#card-beside")].map((node) => ({ view: new CardView(node, (kind) => openLog(shownNumber(node), kind)), node, key: "" }));
const shownNumber = (node) => Number(node.dataset.number);
const history_ = new Chart($("#history-chart"), historyOption);
const jobs = new JobsView($("#jobs-room"), { onLog: openLog });
/** Texts have none. */
const tuning = $("#tuning") && new TuningView($("#tuning"));

const ofState = (state) => [...rounds.values()].filter((r) => r.state === state);
const newest = () => ofState("done").at(-1)?.number ?? [...rounds.keys()].at(-1) ?? null;

function take(found) {
  stats = found;
  jobs.render(stats.assist);
  tuning?.render(stats.assist.tuning);
  keep(stats.assist.rounds);
  const some = stats.assist.featurized > 0;
  $("#features").hidden = !some;
  $("#no-features").hidden = some;
  render();
  refreshLog();
}

function keep(list) {
  for (const round of list) rounds.set(round.number, round);
}

function render() {
  if (beside !== null && !rounds.has(beside)) beside = null;
  if (chosen !== null && !rounds.has(chosen)) chosen = null;
  renderSelects();
  const shown = chosen ?? newest();
  if (shown === null) {
    const assist = stats?.assist;
    const why = assist?.prelabel_reason ?? "No round has run yet.";
    cards[0].view.empty("No round yet", `No prelabels yet. ${why}${moreNeeded(assist?.labels_needed, stats?.counts.items, assist?.next_round_of)}`);
  } else {
    showCard(cards[0], shown);
  }
  $("#cards").dataset.two = String(beside !== null);
  cards[1].node.hidden = beside === null;
  if (beside !== null) showCard(cards[1], beside);
  renderHistory();
}

/** Ask for a card only when something about its round has changed. */
async function showCard(slot, number) {
  const round = rounds.get(number);
  const key = JSON.stringify(round);
  if (slot.key === key) return;
  slot.key = key;
  slot.node.dataset.number = String(number);
  try {
    const found = await api("GET", `${root}/rounds/${number}/card`);
    if (slot.key !== key) return;
    slot.view.show(found, ofState("done").filter((r) => r.number <= number), `${root}/rounds/${number}/model.zip`, (stats?.counts.items ?? Infinity) - round.labels);
  } catch (error) {
    if (slot.key !== key) return;
    slot.key = "";
    slot.view.empty(`Round ${number}`, error.message);
  }
}

const option = (r) => el("option", { value: r.number }, `Round ${r.number}, ${plural(r.labels, "label")}${r.state === "done" ? "" : `, ${r.state}`}`);

function renderSelects() {
  const list = [...rounds.values()].sort((a, b) => b.number - a.number);
  const drawn = JSON.stringify(list.map((r) => [r.number, r.state, r.labels]));
  const [one, two] = [$("#round"), $("#with")];
  if (one.dataset.drawn !== drawn) {
    one.dataset.drawn = drawn;
    fill(one, el("option", { value: "" }, "Newest"), ...list.map(option));
    fill(two, el("option", { value: "" }, "nothing"), ...list.map(option));
  }
  one.value = chosen ?? "";
  two.value = beside ?? "";
  $("#choose").hidden = !list.length;
}

/** Of boxes `right` is a sum of shares, a picture's each: no count. */
function audited(r) {
  if (!r.audit?.n) return "–";
  if (project.task_type === "boxes") return `${percent(r.audit.right / r.audit.n)} of ${plural(r.audit.n, "picture")}’s boxes`;
  return `${count(r.audit.right)} of ${count(r.audit.n)}`;
}

function renderHistory() {
  const done = ofState("done");
  $("#history-none").hidden = rounds.size > 0;
  $("#history-chart").hidden = !done.length;
  $("#history-table").hidden = !rounds.size;
  if (done.length) history_.set({ rounds: done.map((r) => ({ ...r, audited: r.audit?.n ? r.audit.right / r.audit.n : null })), target: project.target });
  const head = ["Round", "State", "Labels", "Took", "Model accuracy", "Threshold", "Lower bound", "Coverage", "Prelabels right", "In the audit", "Prelabels"];
  const shown = chosen ?? newest();
  const list = [...rounds.values()].sort((a, b) => b.number - a.number);
  const key = JSON.stringify([list, shown]);
  if (key === $("#history-table").dataset.drawn) return;
  $("#history-table").dataset.drawn = key;
  fill($("#history-table"),
    thead(head, { numbers: 2 }),
    el("tbody", {}, ...list.map((r) => el("tr", { "aria-current": r.number === shown ? "true" : null },
      el("td", {}, el("button", { class: "link", type: "button", "aria-label": `Show round ${r.number}`, onclick: () => choose(r.number) }, r.number)),
      el("td", { title: r.state === "done" ? "" : (r.reason ?? "") }, r.state),
      num(count(r.labels)), num(seconds(r.seconds)), num(percent(r.model_accuracy)),
      num(r.threshold == null ? "–" : r.threshold.toFixed(3)), num(percent(r.lower_bound)), num(r.threshold == null ? "–" : percent(r.coverage, 0)),
      num(percent(r.accuracy)), num(audited(r)), num(r.prelabeled == null ? "–" : count(r.prelabeled))))));
}

function choose(number, other = beside) {
  chosen = number;
  beside = other;
  const query = new URLSearchParams();
  if (chosen !== null) query.set("round", chosen);
  if (beside !== null) query.set("with", beside);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  render();
}

$("#round").addEventListener("change", (e) => choose(Number(e.target.value) || null));
$("#with").addEventListener("change", (e) => choose(chosen, Number(e.target.value) || null));

/** One round back or on; beyond the newest it follows whatever comes. */
function step(by) {
  const numbers = [...rounds.keys()].sort((a, b) => a - b);
  const at = numbers.indexOf(chosen ?? newest()) + by;
  if (at >= 0) choose(at >= numbers.length ? null : numbers[at]);
}

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("#log").open || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  if (e.key === "ArrowLeft") step(-1);
  else if (e.key === "ArrowRight") step(1);
  else if (e.key.toLowerCase() === "c") {
    const before = ofState("done").filter((r) => r.number < (chosen ?? newest())).at(-1);
    choose(chosen, beside === null ? (before?.number ?? null) : null);
  } else return;
  e.preventDefault();
});

// -- logs

let log = null;

async function openLog(number, kind) {
  log = { number, kind };
  setText($("#log-title"), `Round ${number}, ${kind}`);
  setText($("#log-text"), "");
  setText($("#log-note"), "Loading …");
  $("#log").showModal();
  await refreshLog();
}

async function refreshLog() {
  if (log === null || !$("#log").open) return;
  const asked = log;
  try {
    const found = await api("GET", `${root}/rounds/${asked.number}/jobs/${asked.kind}/log`);
    if (log !== asked) return;
    const text = $("#log-text");
    const end = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
    setText(text, found.log);
    text.hidden = !found.log;
    setText($("#log-note"), found.reason ?? "");
    if (end) text.scrollTop = text.scrollHeight;
  } catch (error) {
    setText($("#log-note"), error.message);
  }
}
$("#log").addEventListener("close", () => {
  log = null;
});

// -- what can be done

async function act(button, type, body, done) {
  button.disabled = true;
  try {
    await socket.request(type, { project_id: project.project_id, ...body });
    toast(done, "good");
  } catch (error) {
    toast(error.message || "No connection: nothing was changed. Try again when you are back.", "bad");
  } finally {
    if (stats) {
      jobs.render(stats.assist);
      tuning?.render(stats.assist.tuning);
    }
  }
}
$("#train").addEventListener("click", (e) => act(e.target, "project.train", {}, "A round begins."));
$("#cancel").addEventListener("click", (e) => act(e.target, "round.cancel", {}, "Cancelled. What earlier rounds gave stays."));
$("#retry").addEventListener("click", (e) => act(e.target, "round.retry", { number: stats.assist.round.number }, "Another round begins."));
$("#tune")?.addEventListener("click", (e) => act(e.target, "tuning.start", {}, "Fine-tuning begins."));
$("#tune-cancel")?.addEventListener("click", (e) => act(e.target, "tuning.cancel", {}, "Cancelled. What was in use stays in use."));

// -- life

async function load() {
  try {
    const [all, now] = await Promise.all([api("GET", `${root}/rounds`), api("GET", `${root}/stats`)]);
    keep(all.rounds);
    take(now);
  } catch (error) {
    if (stats === null) cards[0].view.empty("The model could not be loaded", error.message);
  }
}

socket.addEventListener("open", async () => {
  try {
    await socket.request("subscribe", { topic: `project/${project.project_id}/stats` }, (frame) => take(frame.body));
  } catch (error) {
    if (error.code) toast(error.message, "bad");
  }
});
showConnection(socket);
socket.connect();
load();
