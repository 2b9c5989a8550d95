/** The review room: keys, clicks and what the server pushes, put together. */
import { $, boot, firstClick, setText, setVars } from "./dom.js";
import { api } from "./api.js";
import { answeringOf } from "./answering.js";
import { Bar } from "./review_bar.js";
import { ClassList } from "./class_list.js";
import { Comments } from "./comments.js";
import { Outbox } from "./outbox.js";
import { ReviewComments } from "./review_comments.js";
import { Draft } from "./review_draft.js";
import { FilterForm } from "./review_form.js";
import { GoldNote, markGold } from "./review_gold.js";
import { NoteForm } from "./review_note.js";
import { Preload } from "./preload.js";
import { ReviewGrid } from "./review_grid.js";
import { Room } from "./review_room.js";
import { Single } from "./review_single.js";
import { Socket } from "./socket.js";
import { Words } from "./review_words.js";
import { Zoom } from "./zoom.js";
import { TypeSize } from "./type_size.js";
import { NO_CLASS, active, fromAddress, saidOf, toAddress } from "./review_filter.js";
import { sameClasses, taskOf } from "./task.js";
import { intentOf } from "./review_keys.js";
import { shapeIntent } from "./shapes/keys.js";
import { plural } from "./format.js";
import { showConnection } from "./connection.js";
import { toast } from "./toast.js";

const SIMILAR_WAIT_MS = 120;
const SIMILAR_SHOWN = 12;
const AHEAD = 6;

const { user, project } = boot();
const task = taskOf(project);
// Drawing needs its library, which other rooms do without.
const Board = task.shapes ? (await import("./shapes/review_board.js")).ReviewBoard : null;
const socket = new Socket();
const room = new Room(socket, project.project_id, task, user.user_id, fromAddress(location.search));
const draft = new Draft(answeringOf(project, () => project.classes.map((c) => c.name)));
const words = new Words(project.classes);
const zoom = new Zoom($("#zoom"));
const help = $("#help");
const letters = new TypeSize();
const preload = new Preload();
const command = (type, body) => socket.request(type, { project_id: project.project_id, ...body });
const similarTo = (id, settled, limit) =>
  api("GET", `/api/projects/${project.project_id}/items/${id}/similar?settled=${settled}&limit=${limit}`);
const bar = new Bar((id) => similarTo(id, false, 1));
const note = new NoteForm($("#note"), (body) => command("note.add", body));
const classes = new ClassList($("#classes"), (name, again) => {
  // The second click of a double click would decide the next item, which nobody has seen.
  if (!again || board || task.multi) pick(name);
});
const board = Board && new Board($("#drawing"), $(".shape-list"), $(".rv-people"), task, {
  changed: () => render(),
  note: (text) => toast(text, "warn"),
  classes: () => project.classes.map((c) => c.name),
  colors: (name) => ({ c: "#5f6b7e", ...words.colors(name) }),
});
const single = new Single($("#single"), words, board,
  { show: (id) => room.show(id), decide, zoom: openZoom, zoomOther: (item) => showZoom(item, true) }, user.user_id);
const outbox = new Outbox(socket, user.user_id, project.project_id);
const comments = new Comments(socket, outbox, project.project_id, user.user_id);
const written = new ReviewComments($("#comments"), comments);
const grid = new ReviewGrid($("#grid"), words,
  { open: openAlone, zoom: showZoom, more: () => view === "grid" && room.loadMore(), change: render });
const form = new FilterForm((filter) => {
  grid.clear();
  room.setFilter(filter);
  keepAddress();
});
/** Is what is enlarged another item than the one in view? Then keys do not decide. */
let elsewhere = false;
let view = new URLSearchParams(location.search).get("view") === "grid" ? "grid" : "single";

// -- showing

const goldNote = new GoldNote(project.project_id, () => {
  const item = grid.chosen.length === 1 && !grid.everything ? room.items.get(grid.chosen[0]) : null;
  return item?.gold ? item : null;
});

function render() {
  goldNote.show();
  $("#main").dataset.view = view;
  draft.about(view === "single" ? `one ${room.current}` : `many ${grid.chosen}`);
  for (const button of document.querySelectorAll(".rv-views button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  form.render(room);
  const empty = room.order.length === 0 && (view === "grid" || room.item === null);
  $("#single").hidden = view !== "single" || empty;
  $("#many").hidden = view !== "grid" || empty;
  renderNothing(empty);
  if (view === "single") {
    single.render(room, draft.classes);
    written.render(room.item);
    if (board) renderBoard();
    else classes.mark(draft.classes ?? (room.item && saidOf(room.item)));
    // What is drawn is not compared: the detector has no features of whole pictures.
    if (!board) lookForSimilar();
    const at = Math.max(0, room.index);
    preload.keep(room.order.slice(at, at + AHEAD).map((id) => room.items.get(id)), (i) => i.image);
  } else {
    grid.render(room);
  }
  bar.render(room, view === "grid" ? grid : null, draft.classes);
  if (zoom.isOpen && !elsewhere) openZoom();
}

function renderBoard() {
  const cls = room.item && board.drawing.cls;
  classes.mark(cls ? [cls] : null);
  $("#do-edit").setAttribute("aria-pressed", String(board.editing));
  $("#do-votes").setAttribute("aria-pressed", String(board.votes));
  const open = room.item ? board.open : 0;
  $("#do-accept").disabled = $("#do-drop").disabled = !open;
  setText($(".rv-disputed"), open ? plural(open, "disputed shape") : "Nothing is disputed.");
}

function renderNothing(empty) {
  const box = $("#nothing");
  box.hidden = !empty;
  if (!empty) return;
  const [title, text] = emptyWords();
  setText($("h2", box), title);
  setText($("p", box), text);
}

function emptyWords() {
  if (room.problem) return ["The list could not be read", room.problem];
  if (!room.loaded) return ["One moment …", socket.connected ? "The items are on their way." : "Waiting for the connection."];
  if (room.filter.like) return ["Nothing left that looks like it", "G goes back to one at a time, the tabs above to the lists."];
  if (active(room.filter)) return ["Nothing matches", "Loosen the filters above, or clear them."];
  return {
    needs_review: ["Nothing to review", "Items appear here by themselves when people disagree or flag one."],
    skipped: ["Nothing was skipped", "What people skip too often appears here by itself."],
    in_progress: ["Nothing in progress", "Items appear here while people label them."],
    labeled: ["Nothing labeled yet", "Items appear here as soon as their votes agree."],
  }[room.filter.state] ?? ["Nothing here", `Add ${task.thing}s in Settings.`];
}

/** Similar settled items of what is in view, once it stays in view for a moment. */
let similarOf = null;
let similarTimer = 0;
function lookForSimilar() {
  const id = room.item?.item_id ?? null;
  if (id === similarOf) return;
  similarOf = id;
  clearTimeout(similarTimer);
  single.similar(null);
  if (id === null) return;
  similarTimer = setTimeout(async () => {
    const answer = await similarTo(id, true, SIMILAR_SHOWN).catch((error) => ({ items: [], reason: error.message }));
    if (similarOf === id) single.similar(answer);
  }, SIMILAR_WAIT_MS);
}

/** Enlarge the item in view: it is what keys decide. */
function openZoom() {
  const item = view === "grid" ? room.items.get(grid.focus) : room.item;
  if (item) showZoom(item);
  else zoom.close();
}

function showZoom(item, other = false) {
  elsewhere = other;
  const said = saidOf(item);
  zoom.show(item, said && { kind: "label", classes: said, by: "vote" }, (name) => words.colors(name));
}

// -- doing

/** A class was chosen (null: none): it decides, or, where answers are sets, goes into the draft. */
function pick(name) {
  if (board) {
    if (view === "single" && name !== null) board.pick(name);
    return;
  }
  if (task.multi) {
    draft.tag(name, view === "single" ? (room.item && saidOf(room.item)) : sharedBy(grid.chosen));
    render();
  } else decide("change", [name]);
}

/** What all of these are labeled with, or null. */
function sharedBy(ids) {
  const [first, ...others] = ids.map((id) => saidOf(room.items.get(id)));
  return first && others.every((said) => sameClasses(first, said)) ? first : null;
}

function decide(action, classes = null) {
  if (room.running) return;
  if (board && view === "single" && action === "approve" && room.item) {
    const why = board.holdsBack();
    if (why) {
      toast(why, "warn");
      return;
    }
    const drawn = board.decision;
    board.edit(false);
    if (drawn === null) room.decide("approve");
    else room.decide("change", drawn);
    return;
  }
  if (action === "approve" && draft.classes !== null) {
    decide("change", draft.classes);
    return;
  }
  draft.clear();
  if (view === "single") {
    zoom.isOpen && zoom.close();
    room.decide(action, classes);
    return;
  }
  const chosen = grid.chosen;
  if (!chosen.length) return;
  const everything = grid.everything;
  grid.clear();
  if (everything) {
    room.decideAll(action, classes);
    return;
  }
  room.decideMany(chosen, action, classes).then((summary) => {
    // What was refused stays selected, so that it can be looked at.
    for (const { item_id } of summary?.refused ?? []) if (room.items.has(item_id)) grid.selected.add(item_id);
    render();
  });
}

function setView(next) {
  if (next === view) return;
  if (next === "grid") grid.focus = room.current;
  else if (grid.focus !== null) room.current = grid.focus;
  view = next;
  room.setClaiming(view === "single");
  if (view === "single" && room.item === null && room.order.length) room.show(room.order[0]);
  keepAddress();
  render();
  if (view === "grid") grid.move(0);
}

function openAlone(id) {
  grid.focus = id;
  setView("single");
}

function keepAddress() {
  history.replaceState(null, "", toAddress(room.filter, view));
}

function showSimilar() {
  if (!bar.last || !bar.alike) return;
  view = "grid";
  room.setClaiming(false);
  grid.clear();
  room.setFilter({ ...fromAddress(""), like: bar.last.item_id });
  keepAddress();
}

const RUN = {
  decide: ({ action }) => decide(action),
  class: ({ index }) => pick(classes.name(index)),
  none: () => pick(null),
  undo: () => (board && view === "single" && room.item && board.undo()) || room.running || room.undo(),
  redo: () => board && view === "single" && room.item && board.undo(1),
  accept: () => room.item && board.accept(),
  drop: () => room.item && board.drop(),
  votes: () => room.item && board.showVotes(),
  edit: () => room.item && board.edit(),
  view: () => setView(view === "grid" ? "single" : "grid"),
  zoom: () => {
    if (board && view === "single") board.drawing.run({ type: "fit" });
    else if (zoom.isOpen) zoom.close();
    else openZoom();
  },
  similar: showSimilar,
  note: () => note.open(bar.last ?? (view === "single" ? room.item : room.items.get(grid.focus) ?? null)),
  comment: () => view === "single" && written.focus(),
  filter: () => form.toggle(true),
  search: () => (view === "grid" ? $("#change-to").focus() : classes.search("")),
  help: () => (help.open ? help.close() : help.showModal()),
  move: ({ step }) => (view === "grid" ? grid.move(step) : room.move(step)),
  row: ({ step }) => grid.row(step),
  toggle: () => grid.toggle(),
  all: () => grid.all(),
  open: () => grid.focus !== null && openAlone(grid.focus),
  letters: ({ by }) => letters.change(by),
  read: ({ by }) => (zoom.isOpen ? zoom.read(by) : single.read(by)),
  escape: () => {
    if (zoom.isOpen) zoom.close();
    else if (board && view === "single" && room.item && letGo()) return;
    else if (room.running) room.stop();
    else if (draft.classes !== null) draft.clear();
    else if (grid.selected.size) grid.clear();
    else if (room.pending) room.undo();
    else if (room.filter.like) form.clear();
  },
};

/** Escape where shapes are drawn: the outline, editing, then what was put together. */
function letGo() {
  if (board.editing && !board.drawing.atRest) board.drawing.do({ type: "escape" });
  else if (board.editing) board.edit(false);
  else return board.forget();
  return true;
}

/** Keys that draw: while editing all of them, else only what moves the shape chosen. */
function drawKey(event) {
  if (!board || view !== "single" || !room.item) return false;
  const intent = shapeIntent(event, classes.length);
  if (!intent) return false;
  if (board.editing) {
    if (event.repeat && !["nudge", "grow", "zoom", "undo", "redo"].includes(intent.type)) return true;
    if (intent.type === "undo" && board.drawing.open) board.drawing.do({ type: "back" });
    else if (intent.type === "submit" && board.drawing.open) board.drawing.do({ type: "finish" });
    else if (!board.drawing.run(intent)) return false;
    return true;
  }
  // A shape that was chosen is what these are about; without one they are about the item.
  const about = intent.type === "zoom" || (board.drawing.target && ["Delete", "Backspace"].includes(event.key))
    || (intent.type === "grow" && board.drawing.target);
  return Boolean(about) && board.drawing.run(intent);
}

/** What keys do to an enlarged item that is not the one in view. */
const LOOKS = ["escape", "zoom", "read", "letters", "help"];

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select") || note.isOpen || target.closest("#gold-note-dialog")) return;
  if (help.open && event.key !== "?") return; // the dialog closes itself on Escape
  const pressed = target.closest("button, a, summary") && (event.key === "Enter" || event.key === " ");
  if (!pressed && drawKey(event)) {
    event.preventDefault();
    render();
    return;
  }
  const intent = intentOf(event, view, classes.length, task);
  if (!intent || (event.repeat && !["move", "row", "read", "letters"].includes(intent.type))) return;
  // A control reached with Tab answers to Enter and Space itself.
  if (target.closest("button, a, summary") && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  if (zoom.isOpen && elsewhere && !LOOKS.includes(intent.type)) return;
  RUN[intent.type](intent);
  render();
});

const CLICKS = {
  ...(board ? { "#do-accept": RUN.accept, "#do-drop": RUN.drop, "#do-votes": RUN.votes, "#do-edit": RUN.edit } : {}),
  "#do-help": RUN.help,
  "#do-undo": RUN.undo,
  "#do-similar": RUN.similar,
  "#do-note": RUN.note,
  "#select-none": () => grid.clear(),
  "#select-rest": () => grid.selectEverything(),
  "#do-stop": () => room.stop(),
};
for (const [selector, run] of Object.entries(CLICKS)) onClick($(selector), run);
for (const button of document.querySelectorAll("[data-many]")) onClick(button, firstClick(() => decide(button.dataset.many)));
for (const button of document.querySelectorAll(".rv-views button")) onClick(button, () => setView(button.dataset.view));
for (const button of document.querySelectorAll("[data-gold]")) {
  onClick(button, () => {
    const filter = grid.everything ? room.filter : null;
    markGold(task, command, { ids: grid.chosen, filter }, button.dataset.gold === "true");
  });
}
$("#change-to").addEventListener("change", (e) => {
  const { value } = e.target;
  e.target.value = "";
  e.target.blur();
  if (value) pick(value === NO_CLASS ? null : value);
});
$(".dialog-close", help).addEventListener("click", () => help.close());

/** The list keeps the keyboard, so that Enter means approve and not this button again. */
function onClick(button, run) {
  button.addEventListener("mousedown", (e) => e.preventDefault());
  button.addEventListener("click", (event) => {
    run(event);
    render();
  });
}

// -- the world outside

room.addEventListener("change", render);
socket.addEventListener("open", () => outbox.flush());
outbox.addEventListener("refused", (e) => toast(`It was not kept: ${e.detail.error.message}`, "bad"));
comments.addEventListener("change", () => {
  const button = $("#unread");
  button.hidden = !comments.unread;
  setText(button, plural(comments.unread, "new comment"));
});
comments.addEventListener("comment", ({ detail }) => {
  if (!comments.mine(detail) && detail.item_id !== room.item?.item_id) toast(`${detail.name} wrote: ${detail.text}`);
});
room.addEventListener("note", (e) => toast(e.detail.text, e.detail.tone));
room.addEventListener("decided", (e) => {
  bar.decided(e.detail);
  const colors = words.colorsOf(e.detail.classes);
  setVars($("#done"), colors);
  $("#done").dataset.class = String("c" in colors);
  render();
});
room.addEventListener("undone", (e) => {
  bar.undone(e.detail);
  $("#done").dataset.class = "false";
  render();
});
room.addEventListener("refused", ({ detail: { item, message } }) => {
  toast(`${item.name}: ${message}`, "warn");
  $("#done").dataset.class = "false";
  setText($("#done"), `Not decided: ${message.replace(/; look again$/, "")}`);
});
classes.set(project.classes);
room.setClaiming(view === "single");
showConnection(socket);
render();
socket.connect();
