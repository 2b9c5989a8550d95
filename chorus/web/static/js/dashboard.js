/** The supervisor's dashboard: the stats, the events and the server live; or any past moment. */
import { $, boot, setText } from "./dom.js";
import { api } from "./api.js";
import { Chart, roundsOption } from "./charts.js";
import { Curve } from "./curve.js";
import { CurveCard } from "./curve_card.js";
import { Feed } from "./feed.js";
import { LabelersCard } from "./labelers_card.js";
import { LabelsCard } from "./labels_card.js";
import { MessageForm } from "./message.js";
import { PersonDialog } from "./person_dialog.js";
import { PriorityForm } from "./priority_form.js";
import { ProgressCard } from "./progress_card.js";
import { Socket } from "./socket.js";
import { TeamFilter } from "./team_filter.js";
import { TimeBar } from "./time_bar.js";
import { plural } from "./format.js";
import { renderModel, renderPastModel } from "./model_card.js";
import { renderPace } from "./pace_card.js";
import { renderServer } from "./server_strip.js";
import { renderVotes } from "./votes_card.js";
import { NONE_WORD, taskOf } from "./task.js";
import { stuckLine } from "./stuck_line.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";

const { project } = boot();
const socket = new Socket();
const at = (path) => `/p/${project.project_id}${path}`;
const ask = (type, body = {}) => socket.request(type, { project_id: project.project_id, ...body });
/** Points that the server has kept meanwhile are better than those that were seen here. */
const CURVE_EVERY_MS = 300_000;
const CURVE_SOON_MS = 10_000;

const progress = new ProgressCard(at);
const labels = new LabelsCard(at, taskOf(project).shapes ? "Nothing on it" : NONE_WORD);
const person = new PersonDialog($("#person"), ask, new MessageForm($("#message"), ask));
const labelers = new LabelersCard(at, (who) => person.open(who, time.past));
new PriorityForm($("#priority"), (type, body, onPush) => socket.request(type, { project_id: project.project_id, ...body }, onPush), taskOf(project).thing);
const curveCard = new CurveCard();
const rounds = new Chart($("#rounds-chart"), roundsOption);
const feed = new Feed($("#feed"), taskOf(project).thing);
const curve = new Curve();
const time = new TimeBar(project.created_at, (ms) => ask("dashboard.moment", { at: ms }), showMoment);
let classes = project.classes;
let paused = project.state === "paused";
let live = null;
const team = new TeamFilter($("#team"), project.project_id, () => live && !time.past && renderLive());
let curveLoaded = 0;

const sum = (numbers) => Object.values(numbers).reduce((a, b) => a + b, 0);

/** What a moment has, the present one too. */
function renderFigures(figures, doneRounds, points) {
  progress.render(figures);
  renderVotes(figures);
  labels.render(figures, classes);
  labelers.render(team.of(figures.labelers), figures.at, figures.labelers.length > 0);
  rounds.set({ target: project.target, rounds: doneRounds.filter((r) => r.state === "done") });
  curveCard.render(points, figures.forecast, figures.at, time.past);
}

function renderLive() {
  const stats = live;
  paused = stats.state === "paused";
  // What is only read is neither paused nor resumed.
  $("#archived").hidden = stats.state !== "archived";
  $("#pause").hidden = stats.state === "archived";
  renderFigures(stats, stats.assist.rounds, curve.points);
  renderPace(stats.pace);
  renderModel(stats.assist, { target: project.target, open: sum(stats.queue) });
  $("#flagged").hidden = stats.pace.flagged === 0;
  setText($("#flagged"), `${plural(stats.pace.flagged, "flag")} on gold`);
  const button = $("#pause");
  button.disabled = false;
  setText(button, paused ? "Resume" : "Pause");
  button.classList.toggle("primary", paused);
}

/** @param {any | null} moment a Moment; null: live again */
function showMoment(moment) {
  $("#main").dataset.past = String(moment !== null);
  if (moment === null) {
    if (live) renderLive();
    return;
  }
  $("#flagged").hidden = true;
  renderFigures(moment, moment.rounds, [...curve.until(moment.at), { at: moment.at, ...moment.counts }]);
  renderPastModel(moment.rounds, project.target);
}

function take(stats) {
  live = stats;
  feed.people(stats.labelers);
  person.people(stats.labelers);
  curve.add(stats.at, stats.counts);
  if (Date.now() - curveLoaded > CURVE_EVERY_MS) loadCurve();
  if (!time.past) renderLive();
}

async function loadCurve() {
  curveLoaded = Date.now();
  try {
    const found = await ask("dashboard.curve");
    curve.load(found);
    // Of a new project they come a moment later.
    if (found.points.length < 2) curveLoaded -= CURVE_EVERY_MS - CURVE_SOON_MS;
    if (live && !time.past) renderLive();
  } catch (error) {
    curveLoaded = 0;
    if (error.code) toast(error.message, "bad");
  }
}

/** New names and colours of classes: the event has the names alone. */
async function loadClasses() {
  try {
    ({ classes } = await api("GET", `/api/projects/${project.project_id}`));
    if (live && !time.past) renderLive();
  } catch {
    // The next change, or a reload, brings them.
  }
}

async function command(button, type) {
  button.disabled = true;
  try {
    await ask(type);
  } catch (error) {
    toast(error.message || "No connection: try again when you are back.", "bad");
    button.disabled = false;
  }
}
$("#pause").addEventListener("click", (e) => command(e.target, paused ? "project.resume" : "project.pause"));
$("#train").addEventListener("click", (e) => command(e.target, "project.train"));

socket.addEventListener("open", async () => {
  const topic = `project/${project.project_id}`;
  try {
    loadCurve();
    await socket.request("subscribe", { topic: `${topic}/stats` }, (frame) => take(frame.body));
    await socket.request("subscribe", { topic: `${topic}/feed` }, ({ body }) => {
      if (body.events.some((e) => e.type === "project.changed" && e.body?.classes)) loadClasses();
      feed.take(body);
      person.follow(body.people);
    });
    await socket.request("subscribe", { topic: "server" }, (frame) => renderServer(frame.body));
  } catch (error) {
    if (error.code) toast(error.message, "bad");
  }
});
stuckLine($("#stuck"), project.project_id, taskOf(project).thing);
showConnection(socket);
socket.connect();
