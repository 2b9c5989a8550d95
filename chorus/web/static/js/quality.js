/** The quality page: how good the work is, who is how good, and what to do about it. */
import { api } from "./api.js";
import { $, boot, el, fill, num, setText, thead } from "./dom.js";
import { ago, count, percent } from "./format.js";
import { heat } from "./heat.js";
import { serverNow } from "./server_time.js";
import { Socket } from "./socket.js";
import { showConnection } from "./connection.js";
import { MessageForm } from "./message.js";
import { taskOf } from "./task.js";
import { TeamFilter } from "./team_filter.js";
import { toast } from "./toast.js";

const { project } = boot();
const task = taskOf(project);
const socket = new Socket();
const EVERY_MS = 4_000;
const MORE_MS = 200;
const POOR = 0.6;
/** More than these do not fit a heat map; the table has them all. */
const PAIRS_MOST = 24;

/** Whose mix-ups are shown; "": everybody's. */
let whose = "";
let last = [];
const team = new TeamFilter($("#team"), project.project_id, () => renderPeople(team.of(last), last.length > 0));

const command = (type, body = {}) => socket.request(type, { project_id: project.project_id, ...body });

async function act(type, body, done) {
  try {
    const answer = await command(type, body);
    if (done) toast(typeof done === "function" ? done(answer) : done, "good");
    await load();
  } catch (error) {
    toast(error.message || "No connection: nothing was changed. Try again when you are back.", "bad");
  }
}

const message = new MessageForm($("#message"), command);

let loading = false;
let more = 0;
async function load() {
  if (loading) return;
  loading = true;
  try {
    const [found, { takebacks }] = await Promise.all([command("quality.get", whose ? { user_id: whose } : {}), command("votes.takebacks")]);
    render(found);
    renderTakebacks(takebacks);
    clearTimeout(more);
    if (found.shapes && found.shapes.looked < found.shapes.pictures && !document.hidden) more = setTimeout(load, MORE_MS);
  } catch (error) {
    if (error.code) toast(error.message, "bad");
  } finally {
    loading = false;
  }
}

function render(q) {
  setText($("#note"), [lookedWords(q.shapes), q.note].filter(Boolean).join(" "));
  const { alpha } = q.agreement;
  setText($("#alpha"), alpha.value === null ? "–" : alpha.value.toFixed(2));
  setText($("#alpha-range"), alpha.value === null ? "Nobody has answered the same item yet." : `${words(alpha.value)}; 95 %: ${alpha.low?.toFixed(2)} to ${alpha.high?.toFixed(2)}`);
  const { spent, settled, per_item, saved, left } = q.votes;
  setText($("#per-item"), per_item === null ? "–" : per_item.toFixed(2));
  setText($("#spent"), `${count(spent)} votes given, ${count(settled)} items settled by them`);
  setText($("#saved"), count(Math.max(0, saved)));
  setText($("#saved-of"), `against ${project.votes_max} for every item`);
  setText($("#left"), left === null ? "–" : count(left.value));
  setText($("#left-range"), left === null ? "Known after the first ten items." : `95 %: ${count(left.low)} to ${count(left.high)}`);
  renderGold(q.gold);
  last = q.labelers;
  renderPeople(team.of(last), last.length > 0);
  renderSigns(q.labelers);
  renderWhose(q.labelers);
  if (q.tags) renderTags(q.tags, q.classes);
  else renderConfusion(q.confusion, q.classes);
  renderPairs(q.pairs, q.labelers);
}

/** The server looks at a second's worth of pictures each time. */
function lookedWords(shapes) {
  if (!shapes || shapes.looked === shapes.pictures) return "";
  return `Looked at ${count(shapes.looked)} of ${count(shapes.pictures)} pictures so far.`;
}

/** Krippendorff's own advice (Content Analysis, 2004): 0.8 to rely on, 0.667 for first conclusions. */
function words(alpha) {
  if (alpha >= 0.8) return "good";
  return alpha >= 0.667 ? "fair" : "poor: look at the classes below";
}

function renderGold({ items, rate }) {
  const every = rate ? `, about one in ${count(Math.round(1 / rate))} of a person's ${task.thing}s` : "";
  setText($("#gold"), items
    ? `${count(items)} gold ${task.thing}s are given to people again, blind${rate ? every : ": switched off in Settings"}.`
    : `No gold yet: mark labeled ${task.thing}s as gold in the review room's grid, or bring them in with a CSV.`);
}

function renderPeople(people, any) {
  const head = ["Name", "Skill", "Right on gold", "Same answer twice", "Practice", "Labels", "Agrees with others", "Seconds each", "Skips", "Prelabels changed", "Wrong prelabels let through"];
  if (!people.length) {
    fill($("#people"), el("tbody", {}, el("tr", {}, el("td", { class: "muted" }, any ? "Nobody of this team is in this project." : "Nobody is in this project yet."))));
    return;
  }
  fill($("#people"),
    thead(head, { numbers: 2, actions: true }),
    el("tbody", {}, ...people.map(personRow)));
}

function personRow(p) {
  const of = (part, whole) => (whole ? `${count(part)} of ${count(whole)}` : "–");
  const poor = p.skill !== null && p.skill.high < POOR;
  return el("tr", { dataset: { user: p.user_id, paused: String(p.paused), poor: String(poor) } },
    el("td", {}, p.name, p.paused ? el("span", { class: "chip-plain", dataset: { tone: "warn" } }, "paused") : null),
    el("td", {}, skillBar(p.skill)),
    measured(p.gold), measured(p.self_consistency), practised(p.practice),
    num(count(p.labels)), num(percent(p.agreement)), num(p.seconds === null ? "–" : p.seconds.toFixed(1)),
    num(count(p.skips)), num(of(p.prelabels_changed, p.prelabels_seen) + expected(p)), num(of(p.wrong_let_through, p.wrong_prelabels)),
    el("td", { class: "num" }, el("span", { class: "row" },
      p.role === null ? null : el("button", { class: "button", type: "button", onclick: () => message.open(p) }, "Message"),
      p.role === null ? null : el("button", { class: "button", type: "button", onclick: () => act("person.pause", { user_id: p.user_id, paused: !p.paused }, p.paused ? `${p.name} gets pages again.` : `${p.name} is paused; what they held went back.`) }, p.paused ? "Resume" : "Pause"),
      project.practice && p.role !== null && (!p.practice || p.practice.finished_at) ? el("button", { class: "button", type: "button", onclick: () => practise(p) }, p.practice ? "Practise again" : "Let practise") : null,
      el("button", { class: "button", type: "button", disabled: p.labels + p.skips === 0, onclick: () => askTakeBack(p) }, "Take back …"))));
}

/** Signs that somebody does not look: words of the server, with numbers. */
function renderSigns(people) {
  const found = people.flatMap((p) => p.signs.map((sign) => [p.name, sign]));
  $("#signs").hidden = !found.length;
  fill($("#sign-list"), ...found.map(([name, sign]) => el("li", { dataset: { sign: sign.kind } }, el("b", {}, name), `: ${sign.text}.`)));
}

/** How the latest practice went. */
function practised(p) {
  if (!p) return el("td", { class: "num" }, "–");
  return el("td", { class: "num" }, p.judged ? `${count(p.right)} of ${count(p.judged)} right` : "not begun",
    el("span", { class: "small muted range" }, [p.finished_at ? "" : "at it now", p.run > 1 ? `practice no. ${p.run}` : ""].filter(Boolean).join(", ")));
}

async function practise(person) {
  try {
    await api("POST", `/api/projects/${project.project_id}/people/${person.user_id}/practice`, {});
    toast(`${person.name} practises before the next page.`, "good");
    await load();
  } catch (error) {
    toast(error.message, "bad");
  }
}

/** A share with how many answers it rests on, and its interval. */
function measured(share) {
  if (share === null) return el("td", { class: "num" }, "–");
  const range = `${Math.round(share.low * 100)}–${percent(share.high, 0)}`;
  return el("td", { class: "num measured", title: `95 %: ${percent(share.low)} to ${percent(share.high)}` },
    percent(share.value, 0), " ", el("span", { class: "small muted" }, `of ${count(share.n)}`),
    el("span", { class: "small muted range" }, range));
}

function renderWhose(people) {
  const select = $("#whose");
  const options = [["", "everybody"], ...people.filter((p) => p.labels).map((p) => [p.user_id, p.name])];
  const drawn = JSON.stringify(options);
  if (select.dataset.drawn === drawn) return;
  select.dataset.drawn = drawn;
  fill(select, ...options.map(([value, name]) => el("option", { value }, name)));
  select.value = whose;
}
$("#whose").addEventListener("change", (e) => {
  whose = e.target.value;
  load();
});

/** How many of the prelabels a person saw were wrong, by the blind audit: who changes far fewer waves them through.
 *  Of shapes every one counts here; the model's card has the mean of the pictures, and so another figure. */
function expected(p) {
  if (p.prelabels_wrong_expected === null) return "";
  const what = project.task_type === "boxes" ? " boxes" : "";
  return `, about ${Math.round(p.prelabels_wrong_expected)}${what} were wrong`;
}

function skillBar(skill) {
  if (skill === null) return el("span", { class: "muted small" }, "not known yet");
  const at = (share) => `${(share * 100).toFixed(1)}%`;
  return el("span", { class: "skill", title: `${percent(skill.low)} to ${percent(skill.high)}` },
    el("b", {}, percent(skill.value, 0)),
    el("span", { class: "skill-track", vars: { low: at(skill.low), high: at(skill.high), value: at(skill.value) } },
      el("span", { class: "skill-range" }), el("span", { class: "skill-mark" })));
}

const reviewOf = (name, more) => `/p/${project.project_id}/review?${new URLSearchParams({ state: "labeled", class: name, ...more })}`;

/** Of label sets and shapes: by class, how many ticks or shapes were right, wrong, and left out. */
function renderTags(tags, classes) {
  const head = ["Class", "Right", "Wrong", "Missed", `Right when ${task.shapes ? "drawn" : "ticked"}`, "Found"];
  fill($("#confusion"),
    thead(head, { numbers: 1 }),
    el("tbody", {}, ...tags.map((t, i) => el("tr", {},
      el("td", {}, el("a", { href: reviewOf(classes[i], { disagreement: "people" }) }, classes[i])),
      num(count(t.right)), num(count(t.wrong)), num(count(t.missed)), num(percent(t.precision)), num(percent(t.recall))))));
}

function renderConfusion(table, classes) {
  const link = (row, column) => reviewOf(classes[row], row === column ? {} : { disagreement: "people" });
  heat($("#confusion"), classes, classes, (r, c) => {
    const total = table[r].reduce((a, b) => a + b, 0);
    const n = table[r][c];
    const share = total ? n / total : 0;
    return { text: n ? count(n) : "", share, hue: r === c ? "var(--state-labeled)" : "var(--bad)", href: n ? link(r, c) : null, title: `${classes[r]} voted ${classes[c]}: ${count(n)} of ${count(total)}` };
  });
}

function renderPairs({ raters, kappa, shared }, people) {
  const names = Object.fromEntries(people.map((p) => [p.user_id, p.name]));
  const shown = raters.slice(0, PAIRS_MOST);
  const labels = shown.map((id) => names[id] ?? id);
  const none = shared.every((row, r) => row.every((n, c) => r === c || !n));
  $("#pairs").hidden = none;
  $("#pairs-none").hidden = !none;
  heat($("#pairs"), labels, labels, (r, c) => {
    const k = kappa[r][c];
    if (r === c || k === null) return { text: "", share: 0, hue: "var(--raised)" };
    return { text: k.toFixed(2), share: Math.max(0, k), hue: "var(--accent)", title: `${labels[r]} and ${labels[c]}: κ ${k.toFixed(2)} on ${count(shared[r][c])} items` };
  });
}

function renderTakebacks(found) {
  $("#taken").hidden = !found.length;
  fill($("#takebacks"),
    thead(["Whose", "From", "To", "Items", "By", "When"], { actions: true }),
    el("tbody", {}, ...found.map((t) => el("tr", {},
      el("td", {}, t.name), el("td", {}, t.since ? when(t.since) : "the beginning"), el("td", {}, when(t.until)),
      el("td", {}, count(t.votes)), el("td", {}, t.by), el("td", {}, t.pending ? "taking effect …" : ago(t.created_at)),
      el("td", { class: "num" }, t.undone_at ? el("span", { class: "muted" }, "undone") : el("button", { class: "button", type: "button", onclick: () => act("votes.restore", { takeback_id: t.takeback_id }, "These votes count again.") }, "Undo"))))));
}

const when = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "short" });

function askTakeBack(person) {
  const dialog = $("#take");
  setText($("#take-title"), `Take back votes of ${person.name}`);
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "take") return;
    const span = $("#take-range").value;
    const since = span ? serverNow() - Number(span) : 0;
    act("votes.take_back", { user_id: person.user_id, since }, (answer) => `Taken back: votes on ${count(answer.items)} items.`);
  };
  dialog.showModal();
}

socket.addEventListener("open", async () => {
  await load();
  // The stats say that something has changed; what it changed here is asked for now and then.
  let due = false;
  await socket.request("subscribe", { topic: `project/${project.project_id}/stats` }, () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      if (!document.hidden) load();
    }, EVERY_MS);
  });
});
document.addEventListener("visibilitychange", () => document.hidden || load());
showConnection(socket);
socket.connect();
