/** "My answers": look for what one has answered, look at it again, correct it. */
import { $, boot, setText } from "./dom.js";
import { Answers } from "./answers.js";
import { AnswersList } from "./answers_list.js";
import { ClassList } from "./class_list.js";
import { CommentDialog } from "./comment_dialog.js";
import { Comments } from "./comments.js";
import { KeyMap } from "./key_map.js";
import { Outbox } from "./outbox.js";
import { Socket } from "./socket.js";
import { Zoom } from "./zoom.js";
import { NONE, active, fromAddress, toAddress } from "./answers_filter.js";
import { _ } from "./i18n.js";
import { intentOf } from "./keys.js";
import { SHAPE_KEYS, shapeIntent } from "./shapes/keys.js";
import { noteWords } from "./shapes/words.js";
import { showConnection } from "./connection.js";
import { taskOf } from "./task.js";
import { toast } from "./toast.js";

const TYPING_MS = 250;

const { user, project, preferences } = boot();
const task = taskOf(project);
// Drawing needs its library, which other pages do without.
const Drawing = task.shapes ? (await import("./shapes/drawing.js")).Drawing : null;
const socket = new Socket();
const outbox = new Outbox(socket, user.user_id, project.project_id);
const answers = new Answers(socket, outbox, project);
const comments = new Comments(socket, outbox, project.project_id, user.user_id);
const commenting = new CommentDialog($("#comment"), comments, {
  flag: ([id]) => {
    const row = answers.rows.find((r) => r.item_id === id);
    if (row) answers.act({ type: "flag" }, row);
    else toast(_("It is not here any more: nothing was flagged."), "warn");
  },
  sent: () => {},
  closed: () => list.takeKeyboard(true),
});
const classes = new ClassList($("#classes"), (name) => pick(name));
const colors = (name) => classes.colors(name);
const zoom = new Zoom($("#zoom"), () => list.takeKeyboard(true));
const help = $("#help");
const keyMap = new KeyMap(help, preferences.keys, task.shapes ? SHAPE_KEYS : undefined);
const drawing = Drawing && new Drawing($("#drawing"), $(".shape-list"), {
  kind: task.shapes,
  classes: () => project.classes.map((c) => c.name),
  colors,
  draw: (shapes, merge) => answers.act({ type: "draw", shapes, merge }),
  note: (text) => toast(text, "warn"),
  changed: () => render(),
});
/** Shapes: is an answer open, to be drawn on? */
let editing = false;
const list = new AnswersList($("#answers"), answers, colors, {
  show: (index) => {
    answers.show(index);
    list.takeKeyboard(true);
  },
  zoom: openZoom,
});
const form = $("#filters");

// -- showing

function render() {
  if (editing && !answers.row) editing = false;
  if (drawing) renderDrawing();
  list.render((id) => comments.about(id).reduce((n, t) => n + t.comments, 0));
  const row = answers.row;
  const answer = row && answers.answer(row);
  classes.mark(editing ? [drawing.cls] : answer?.kind === "label" ? answer.classes : null);
  const off = !row?.open;
  for (const id of ["#do-skip", "#do-flag"]) $(id).disabled = off;
  $("#do-comment").disabled = !row;
  const save = $("#do-save");
  save.hidden = !task.multi && !task.shapes;
  save.disabled = !row?.draft;
  const empty = $("#nothing");
  empty.hidden = answers.rows.length > 0;
  if (!empty.hidden) {
    const [title, text] = emptyWords();
    setText($("h2", empty), title);
    setText($("p", empty), text);
  }
  $("#clear-filters").disabled = !active(answers.filter);
  const waiting = outbox.size;
  $("#unsynced").hidden = waiting === 0 || socket.connected;
  setText($("#unsynced"), _("%(n)s unsynced", { n: waiting }));
  if (zoom.isOpen && row) openZoom();
  else if (!help.open && !commenting.isOpen && !editing) list.takeKeyboard();
}

function renderDrawing() {
  $("#drawing").hidden = !editing;
  $(".shape-list").hidden = !editing;
  if (!editing) return;
  const row = answers.row;
  drawing.show(row, String(row.item_id), answers.answer(row).shapes ?? [], { fixed: !row.open });
}

/** Open the answer in view on the canvas, or close it again. */
function edit(on) {
  if (on === editing || (on && !answers.row)) return;
  editing = on;
  render();
  if (on) drawing.focus();
  else list.takeKeyboard(true);
}

/** A class was chosen (null: none): of the answer, or of the shape at hand. */
function pick(name) {
  if (!drawing) answers.act({ type: "label", cls: name });
  else if (!editing) edit(true);
  else if (name !== null) drawing.do({ type: "class", cls: name });
  else if (drawing.shapes.length) toast(noteWords("there"), "warn");
  else saveDrawn();
}

function saveDrawn() {
  answers.keep();
  edit(false);
}

function emptyWords() {
  if (answers.problem) return [_("The list could not be read"), answers.problem];
  if (!answers.loaded) return socket.connected ? ["", ""] : [_("No connection"), _("Your answers are listed when you are back.")];
  if (active(answers.filter)) return [_("Nothing matches"), _("Loosen the filters above, or clear them.")];
  return [_("No answers yet"), _("What you label is listed here, to look at again and to correct.")];
}

function openZoom() {
  if (drawing) {
    edit(true);
    return;
  }
  const row = answers.row;
  if (row) zoom.show({ ...row, prelabel: null }, answers.answer(row), colors);
}

// -- doing

const RUN = {
  class: ({ index }) => answers.act({ type: "label", cls: classes.name(index) }),
  none: () => answers.act({ type: "label", cls: null }),
  skip: () => answers.act({ type: "skip" }),
  flag: () => answers.row?.open && commenting.open([answers.row], true),
  comment: () => answers.row && commenting.open([answers.row], false),
  clear: () => answers.forget(),
  undo: () => answers.undo(),
  submit: () => answers.keep(),
  zoom: () => (zoom.isOpen ? zoom.close() : openZoom()),
  move: ({ dx, dy }) => answers.show(answers.at + dx + dy * list.columns),
  step: ({ by }) => answers.show(answers.at + by),
  read: ({ by }) => zoom.isOpen && zoom.read(by),
  search: ({ text }) => (text && classes.length > 9 ? classes.search(text) : $('[name="text"]', form).focus()),
  help: () => (help.open ? help.close() : help.showModal()),
  escape: () => (zoom.isOpen ? zoom.close() : answers.forget()),
};

/** Where shapes are the answers: keys while one is open, and in the list. */
function runDrawn(intent) {
  if (editing) {
    if (drawing.run(intent)) return;
    const { type } = intent;
    if (type === "submit" && drawing.open) drawing.do({ type: "finish" });
    else if (type === "submit") saveDrawn();
    else if (type === "escape" && !drawing.atRest) drawing.do({ type: "escape" });
    else if (type === "escape") {
      answers.forget();
      edit(false);
    } else if (type === "class") pick(classes.name(intent.index));
    else if (type === "none") pick(null);
    else if (type === "undo" && drawing.open) drawing.do({ type: "back" });
    else if (["undo", "redo"].includes(type)) answers.act({ type });
    else RUN[type]?.(intent);
    return;
  }
  if (intent.type === "nudge") answers.show(answers.at + Math.sign(intent.by[0]) + Math.sign(intent.by[1]) * list.columns);
  else if (["submit", "fit"].includes(intent.type)) edit(true);
  else if (intent.type !== "class" && intent.type !== "none") RUN[intent.type]?.(intent);
}

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select") || commenting.isOpen) return;
  if (keyMap.waiting || (help.open && event.key !== "?")) return;
  if (drawing) {
    const intent = shapeIntent(event, classes.length, keyMap.keys);
    if (!intent || (target.closest("button, a, summary") && (event.key === "Enter" || event.key === " "))) return;
    if (event.repeat && !["nudge", "grow", "zoom", "undo", "redo"].includes(intent.type)) return;
    event.preventDefault();
    runDrawn(intent);
    return;
  }
  const intent = intentOf(event, classes.length, task, keyMap.keys);
  // Tab leaves the list, as everywhere.
  if (!intent || !RUN[intent.type] || intent.type === "step") return;
  if (event.repeat && intent.type !== "move") return;
  if (target.closest("button, a, summary") && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  RUN[intent.type](intent);
});

for (const [selector, run] of Object.entries({
  "#do-skip": RUN.skip, "#do-flag": RUN.flag, "#do-comment": RUN.comment, "#do-undo": () => (editing ? runDrawn({ type: "undo" }) : RUN.undo()),
  "#do-save": () => (drawing ? saveDrawn() : RUN.submit()), "#do-help": RUN.help,
})) {
  $(selector).addEventListener("mousedown", (e) => e.preventDefault());
  $(selector).addEventListener("click", run);
}
$(".dialog-close", help).addEventListener("click", () => help.close());

// -- the filter

let timer = 0;
function read() {
  clearTimeout(timer);
  const of = (name) => $(`[name="${name}"]`, form).value;
  setFilter({ text: of("text"), class: of("class"), kind: of("kind"), from: of("from"), to: of("to") });
}

function setFilter(filter) {
  if (JSON.stringify(filter) === JSON.stringify(answers.filter)) return;
  history.replaceState(null, "", toAddress(filter, location.pathname));
  answers.setFilter(filter);
}

function fillForm(filter) {
  for (const [name, value] of Object.entries(filter)) $(`[name="${name}"]`, form).value = value;
}

form.addEventListener("input", (e) => {
  clearTimeout(timer);
  timer = setTimeout(read, e.target.type === "search" ? TYPING_MS : 0);
});
form.addEventListener("keydown", (e) => {
  if (e.isComposing) return; // an input method's own Enter
  if (e.key !== "Enter" && e.key !== "Escape") return;
  e.preventDefault();
  read();
  e.target.blur();
  list.takeKeyboard(true);
});
$("#clear-filters").addEventListener("click", () => {
  fillForm(NONE);
  setFilter(NONE);
});

// -- the world outside

answers.addEventListener("change", render);
answers.addEventListener("note", (e) => toast(e.detail.text, e.detail.tone));
comments.addEventListener("change", render);
socket.addEventListener("lost", render);
addEventListener("pagehide", () => answers.keep());
classes.set(project.classes);
answers.filter = fromAddress(location.search);
fillForm(answers.filter);
showConnection(socket);
render();
socket.connect();
