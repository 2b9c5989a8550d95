/**
 * For a screen on the wall: one project, or all that the person supervises; nothing to press. A
 * click, or F, fills the screen; the screen is kept awake where the browser can.
 */
import { $, boot, el, fill, setText } from "./dom.js";
import { Socket } from "./socket.js";
import { FIGURES, figureList, followCards, shareWords, showBar, showFigures, stateBar } from "./live_card.js";
import { count } from "./format.js";
import { showConnection } from "./connection.js";

const PEOPLE_MOST = 12;
const { project, projects } = boot();
const socket = new Socket();

if (project) {
  $("#wall-one").hidden = false;
  followOne();
} else {
  $("#cards").hidden = false;
  followCards(socket, projects, $("#cards"));
}

function followOne() {
  const name = el("h1", {}, project.name);
  const paused = el("span", { class: "chip-plain", dataset: { tone: "warn" }, hidden: true }, "paused");
  const share = el("div", { class: "huge" }, "–");
  const done = el("div", { class: "wall-done" });
  const bar = stateBar();
  const shown = FIGURES.filter(([key]) => key !== "open");
  const list = figureList(shown);
  const people = el("ul", { class: "wall-people", "aria-label": "Who is here, and votes an hour" });
  fill($("#wall-one"), el("div", { class: "wall-head" }, name, paused), share, done, bar, list, people);
  const render = (stats) => {
    const sum = (key) => stats.labelers.reduce((total, p) => total + p[key], 0);
    const here = stats.labelers.filter((p) => p.here);
    setText(name, stats.name);
    document.title = `${shareWords(stats.counts)} · ${stats.name} · Chorus`;
    paused.hidden = stats.state !== "paused";
    setText(share, shareWords(stats.counts));
    setText(done, `${count(stats.counts.labeled)} of ${count(stats.counts.items)} labeled`);
    showBar(bar, stats.counts);
    showFigures(list, shown, { ...stats, here: here.length, per_hour: sum("per_hour"), compared: sum("compared"), agreed: sum("agreed") });
    const first = here.sort((a, b) => b.per_hour - a.per_hour || a.name.localeCompare(b.name)).slice(0, PEOPLE_MOST);
    const words = first.map((p) => `${p.name}\n${count(Math.round(p.per_hour))}`).join("\n");
    if (people.dataset.shown === words) return;
    people.dataset.shown = words;
    fill(people, ...first.map((p) => el("li", {}, p.name, el("b", {}, count(Math.round(p.per_hour))))), here.length > PEOPLE_MOST ? el("li", {}, `and ${count(here.length - PEOPLE_MOST)} more`) : null);
  };
  socket.addEventListener("open", () => {
    socket.request("subscribe", { topic: `project/${project.project_id}/stats` }, (frame) => render(frame.body)).catch(() => {}); // asked again with the connection
  });
}

socket.addEventListener("open", () => {
  socket.request("subscribe", { topic: "server" }, ({ body }) => {
    const ack = body.p99_ms === null ? "" : `, kept within ${count(Math.ceil(body.p99_ms))} ms`;
    setText($("#wall-server"), `${count(body.people)} online, ${body.votes_per_s.toFixed(1)} votes a second${ack}`);
  }).catch(() => {});
});

const CLOCK = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const tick = () => setText($("#clock"), CLOCK.format(new Date()));
tick();
setInterval(tick, 1000);

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {}); // refused: it stays a page
}
document.addEventListener("click", fullScreen);
document.addEventListener("keydown", (e) => {
  if (e.key.toLowerCase() === "f" && !e.ctrlKey && !e.metaKey && !e.altKey) fullScreen();
});

let awake = null;
async function stayAwake() {
  if (document.hidden || awake) return;
  try {
    awake = await navigator.wakeLock?.request("screen");
    awake?.addEventListener("release", () => { awake = null; });
  } catch {
    awake = null; // the browser does not want to, or cannot
  }
}
document.addEventListener("visibilitychange", stayAwake);
stayAwake();

showConnection(socket);
socket.connect();
