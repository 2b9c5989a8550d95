/** The labeler's page: keys, clicks and what the server pushes, put together. */
import { $, boot, setText, setVars } from "./dom.js";
import { ClassList } from "./class_list.js";
import { Grid, wordOf } from "./grid.js";
import { Notes } from "./notes.js";
import { Outbox } from "./outbox.js";
import { Preload, pictureOf } from "./preload.js";
import { RecentStrip } from "./recent_strip.js";
import { Session } from "./session.js";
import { Socket } from "./socket.js";
import { Zoom } from "./zoom.js";
import { count, plural } from "./format.js";
import { focused, isOdd, missing } from "./page_state.js";
import { intentOf } from "./keys.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";

const EMPTY = {
  done: ["All done", "There is nothing left for you to label here. Thank you!"],
  waiting: [
    "Your colleagues have the rest",
    "The next pictures come by themselves as soon as one is free again.",
  ],
  paused: ["Paused", "A supervisor has paused this project. It goes on by itself."],
  no_items: ["No pictures yet", "As soon as pictures are added, your first page appears here."],
  stopped: ["You are paused", "A supervisor has paused your work for now. Your page comes back when they resume it; nothing you sent is lost."],
  idle: ["Still there?", "Your page went back to the others. Press any key or tap to go on."],
  loading: ["One moment …", "Your next page is on its way."],
  offline: ["No connection", "Your answers are kept here. The next page comes when you are back."],
};

const { user, project } = boot();
const socket = new Socket();
const outbox = new Outbox(socket, user.user_id, project.project_id);
const session = new Session(socket, outbox, user, project);
const classes = new ClassList($("#classes"), (name) => session.act({ type: "label", cls: name }));
const colors = (name) => classes.colors(name);
const notes = new Notes(socket, project.project_id, user.user_id);
const preload = new Preload();
const zoom = new Zoom($("#zoom"), () => render());
const help = $("#help");
const grid = new Grid(
  $("#grid"),
  {
    focus: (id) => session.act({ type: "focus", item_id: id }),
    toggle: (id) => session.act({ type: "toggle", item_id: id }),
    zoom: (id) => {
      session.act({ type: "focus", item_id: id });
      openZoom();
    },
  },
  colors,
);
const strip = new RecentStrip($("#recent"), (id) => session.correct(id), colors);

// -- showing

function render() {
  const page = session.current;
  classes.set(session.project.classes);
  grid.render(session.paused && !page ? null : page);
  renderBanner(page);
  renderEmpty(page);
  renderActions(page);
  renderCounts();
  strip.render(session.recent, session.correcting?.page_id);
  for (const button of document.querySelectorAll("#sizes button")) {
    const pressed = Number(button.dataset.size) === session.pageSize;
    button.setAttribute("aria-pressed", String(pressed));
  }
  const item = page && focused(page);
  classes.mark(item ? (page.answers[item.item_id]?.cls ?? null) : null);
  if (zoom.isOpen) {
    if (item) openZoom();
    else zoom.close();
  } else if (page && !help.open) {
    grid.takeKeyboard(page);
  }
  preload.keep(
    session.queue.flatMap((p) => p.items.map((i) => pictureOf(i, p.items.length))),
  );
}

function renderBanner(page) {
  const banner = $("#banner");
  const kind = page === null ? "none" : page.correcting ? "correcting" : page.kind;
  banner.dataset.kind = kind;
  const [title, text] = bannerWords(kind, page);
  setText($(".banner-title", banner), title);
  setText($(".banner-text", banner), text);
  $("#leave-correction").hidden = kind !== "correcting";
  const total = page?.items.length ?? 0;
  const given = page ? total - missing(page) : 0;
  setText($("#page-progress"), page ? `${given} / ${total}` : "");
  const bar = $("#page-bar");
  bar.hidden = page === null;
  bar.max = Math.max(1, total);
  bar.value = given;
}

/** Some pictures of a prelabeled page come without the model's answer: the blind audit. */
function unprompted(page) {
  const blind = page.items.filter((item) => !item.prelabel).length;
  return blind ? ` ${plural(blind, "picture")} without an answer: give it yourself.` : "";
}

function bannerWords(kind, page) {
  switch (kind) {
    case "clustered": {
      const odd = page.items.filter(isOdd).length;
      const look = odd ? ` ${plural(odd, "picture")} in a dashed frame may not belong.` : "";
      return ["Tasks clustered", `These look alike: A selects all, then one class.${look}`];
    }
    case "prelabeled":
      return ["Tasks prelabeled", `The model has answered. Correct what is wrong, then Enter.${unprompted(page)}`];
    case "correcting":
      return ["Correcting an earlier page", "Change what was wrong, then Enter."];
    case "manual":
      return ["Tasks manual", "Give each picture its class."];
    default:
      return ["", ""];
  }
}

function renderEmpty(page) {
  const cover = $("#cover");
  const why = session.paused
    ? "paused"
    : page
      ? null
      : (session.empty ?? (socket.connected ? "loading" : "offline"));
  cover.hidden = why === null;
  if (why === null) return;
  cover.dataset.why = why;
  const [title, text] = EMPTY[why] ?? EMPTY.loading;
  setText($("h2", cover), title);
  setText($("p", cover), text);
}

function renderActions(page) {
  const off = page === null || session.paused;
  for (const id of ["#do-select", "#do-skip", "#do-clear", "#do-submit"]) $(id).disabled = off;
  const left = page ? missing(page) : 0;
  const submit = $("#do-submit");
  submit.dataset.ready = String(Boolean(page) && left === 0);
  setText($(".submit-text", submit), submitWords(page, left));
  const all = page !== null && page.selected.length === page.items.length;
  setText($("#do-select .action-text"), all ? "Select none" : "Select all");
  const some = page?.selected.length ?? 0;
  const note = $("#selection");
  note.hidden = some === 0;
  setText(note, some ? `${some} selected – now a class` : "");
}

function submitWords(page, left) {
  if (!page) return "Submit";
  if (left) return `${left} to go`;
  return page.correcting ? "Save" : "Submit";
}

function renderCounts() {
  setText($("#today"), count(session.me.today));
  setText($("#total"), `${count(session.me.total)} in all`);
  const waiting = outbox.size;
  const unsynced = $("#unsynced");
  // While connected an answer is on its way for a blink; only what stays deserves a word.
  unsynced.hidden = waiting === 0 || socket.connected;
  setText(unsynced, `${waiting} unsynced`);
}

function openZoom() {
  const page = session.current;
  const item = page && focused(page);
  if (!item) return;
  const answer = page.answers[item.item_id];
  zoom.show(item, answer ? wordOf(answer) : null, answer?.cls ? colors(answer.cls) : {});
}

function submit() {
  const lacking = session.submit();
  if (!lacking) return;
  const verb = lacking === 1 ? "picture needs" : "pictures need";
  toast(`${lacking} ${verb} an answer first.`, "warn");
  grid.takeKeyboard(session.current);
}

// -- keys and clicks

const RUN = {
  class: ({ index }) => session.act({ type: "label", cls: classes.name(index) }),
  toggle: () => session.act({ type: "toggle" }),
  selectAll: () => session.act({ type: "selectAll" }),
  clear: () => session.act({ type: "clear" }),
  skip: () => session.act({ type: "skip" }),
  move: ({ dx, dy }) => session.act({ type: "move", dx, dy }),
  undo: () => session.undo(),
  submit,
  zoom: () => (zoom.isOpen ? zoom.close() : openZoom()),
  help: () => (help.open ? help.close() : help.showModal()),
  search: ({ text }) => classes.search(text),
  escape: () => escape(),
};

function escape() {
  if (zoom.isOpen) zoom.close();
  else if (session.correcting) session.leaveCorrection();
  else if (session.current?.selected.length) session.act({ type: "undo" });
}

document.addEventListener("keydown", (event) => {
  session.awake();
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select")) return;
  if (help.open && event.key !== "?") return; // the dialog closes itself on Escape
  const intent = intentOf(event, classes.length);
  if (!intent || event.repeat && intent.type !== "move") return;
  // A control reached with Tab answers to Enter and Space itself.
  const control = target.closest("button, a, summary");
  if (control && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  RUN[intent.type](intent);
});
document.addEventListener("pointerdown", () => session.awake());

const CLICKS = {
  "#do-select": RUN.selectAll,
  "#do-skip": RUN.skip,
  "#do-clear": RUN.clear,
  "#do-undo": RUN.undo,
  "#do-submit": RUN.submit,
  "#do-help": RUN.help,
  "#leave-correction": () => session.leaveCorrection(),
};
for (const [selector, run] of Object.entries(CLICKS)) {
  const button = $(selector);
  button.addEventListener("click", run);
  // The grid keeps the keyboard, so that Enter means submit and not this button again.
  button.addEventListener("mousedown", (e) => e.preventDefault());
}
for (const button of document.querySelectorAll("#sizes button")) {
  button.addEventListener("mousedown", (e) => e.preventDefault());
  button.addEventListener("click", () => session.resize(Number(button.dataset.size)));
}
$(".dialog-close", help).addEventListener("click", () => help.close());
help.addEventListener("close", render);

// -- the world outside

session.addEventListener("change", render);
session.addEventListener("note", (e) => toast(e.detail.text, e.detail.tone));
session.addEventListener("gone", (e) => toast(e.detail.message, "bad"));
outbox.addEventListener("refused", () => render());
session.addEventListener("guideline", (e) => notes.take(e.detail));
let instructions = "";
session.addEventListener("change", () => {
  // Sanitised by the server: raw HTML in the Markdown is shown as text there.
  if (session.project.instructions_html === instructions) return;
  instructions = session.project.instructions_html;
  $("#instructions-text").innerHTML = instructions;
  showInstructions();
});
notes.addEventListener("change", showInstructions);

function showInstructions() {
  $("#instructions").hidden = !instructions.trim() && !notes.any;
}
setVars(document.documentElement, { "class-count": project.classes.length });
showConnection(socket, { takeOver: () => session.takeOver() });
showInstructions();
render();
socket.connect();
