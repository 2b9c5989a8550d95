/** Review: one item at a time, who voted what, and a decision by one key. */
import { $, boot, el, fill, setText } from "./dom.js";
import { Socket } from "./socket.js";
import { percent, plural, score } from "./format.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";

const { project } = boot();
const socket = new Socket();
const asked = new URLSearchParams(location.search).get("state");
const STATES = ["needs_review", "skipped", "labeled"];
let state = STATES.includes(asked) ? asked : "needs_review";
let items = [];
let total = 0;
let at = 0;

const command = (type, body) => socket.request(type, { project_id: project.project_id, ...body });

async function load() {
  try {
    const answer = await command("review.list", { state, limit: 50 });
    items = answer.items;
    total = answer.total;
    at = Math.min(at, Math.max(0, items.length - 1));
    render();
  } catch (error) {
    if (error.code) toast(error.message, "bad");
  }
}

function render() {
  for (const tab of document.querySelectorAll("#tabs button")) {
    tab.classList.toggle("primary", tab.dataset.state === state);
    tab.setAttribute("aria-pressed", String(tab.dataset.state === state));
  }
  const item = items[at];
  $("#room").hidden = !item;
  $("#nothing").hidden = Boolean(item);
  setText($("#left"), total ? plural(total, "item") : "");
  if (!item) return;
  $("#picture").src = item.image;
  $("#picture").alt = item.name;
  setText($("#name"), `${item.name} · ${item.width} × ${item.height}`);
  setText($("#verdict"), verdict(item));
  fill($("#choices"), ...project.classes.map((c, i) =>
    el("button", { class: "button", type: "button", vars: { c: c.color }, onclick: () => decide("change", c.name) },
      i < 9 ? el("kbd", {}, i + 1) : null, c.name)));
  const action = (name, text, more = "") => el("button", { class: `button ${more}`, type: "button", onclick: () => decide(name) }, text);
  fill($("#actions"),
    item.provisional ? action("approve", `Approve ${item.provisional}`, "primary") : null,
    state === "skipped" ? action("accept_skip", "Accept the skip") : null,
    action("requeue", "Ask again"),
    action("remove", "Remove", "danger"));
  fill($("#votes"), ...item.votes.map(voteLine));
}

function verdict(item) {
  const model = item.model ? ` The model says ${item.model.class}, ${score(item.model.score)}.` : "";
  if (item.label) return `Label: ${item.label}.${model}`;
  if (item.provisional) return `No consensus; most votes: ${item.provisional} (${percent(item.agreement, 0)} agree).${model}`;
  return `No label.${model}`;
}

function voteLine(vote) {
  const answer = vote.kind === "label" ? vote.value.class : vote.kind;
  const pre = vote.prelabel ? `saw the prelabel ${vote.prelabel}` : vote.page_kind;
  return el("div", { class: "vote", dataset: { standing: String(vote.standing) } },
    el("span", {}, vote.labeler), el("b", {}, answer),
    el("span", { class: "small muted" }, pre),
    el("span", { class: "small muted" }, new Date(vote.created_at).toLocaleString("en-GB")));
}

async function decide(action, cls) {
  const item = items[at];
  if (!item) return;
  try {
    await command("review.decide", { item_id: item.item_id, action, ...(cls ? { value: { class: cls } } : {}) });
    items.splice(at, 1);
    total -= 1;
    if (items.length) {
      at = Math.min(at, items.length - 1);
      render();
    } else await load();
  } catch (error) {
    toast(error.message || "No connection: nothing was decided. Try again when you are back.", "bad");
  }
}

function move(step) {
  at = Math.max(0, Math.min(items.length - 1, at + step));
  render();
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("button, input, a, summary") && event.key === "Enter") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowRight" || event.key === "j") move(1);
  else if (event.key === "ArrowLeft" || event.key === "k") move(-1);
  else if (event.key === "Enter" && items[at]?.provisional) decide("approve");
  else if (/^[1-9]$/.test(event.key) && project.classes[event.key - 1]) decide("change", project.classes[event.key - 1].name);
  else return;
  event.preventDefault();
});
for (const tab of document.querySelectorAll("#tabs button")) {
  tab.addEventListener("click", () => {
    state = tab.dataset.state;
    at = 0;
    load();
  });
}
socket.addEventListener("open", async () => {
  await load();
  // New cases come by themselves, when none is in view.
  const topic = `project/${project.project_id}/stats`;
  await socket.request("subscribe", { topic }, ({ body }) => {
    if (!items.length && body.counts[state] > 0) load();
  });
});
showConnection(socket);
socket.connect();
