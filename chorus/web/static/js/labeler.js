/** The labeler's page: keys, clicks and what the server pushes, put together. */
import { $, boot, firstClick, setText, setVars } from "./dom.js";
import { AutoSize } from "./auto_size.js";
import { BreakReminder } from "./break_reminder.js";
import { ClassList } from "./class_list.js";
import { CommentDialog } from "./comment_dialog.js";
import { Comments } from "./comments.js";
import { Grid } from "./grid.js";
import { KeyMap } from "./key_map.js";
import { Notes } from "./notes.js";
import { Outbox } from "./outbox.js";
import { Preload, pictureOf } from "./preload.js";
import { Reading } from "./reading.js";
import { RecentStrip } from "./recent_strip.js";
import { Session } from "./session.js";
import { Socket } from "./socket.js";
import { ThreadList } from "./thread_list.js";
import { TypeSize } from "./type_size.js";
import { Zoom } from "./zoom.js";
import { count } from "./format.js";
import { taskOf } from "./task.js";
import { focused, missing, targets, touched } from "./page_state.js";
import { intentOf } from "./keys.js";
import { SHAPE_KEYS, shapeIntent } from "./shapes/keys.js";
import { drawingWords } from "./shapes/words.js";
import { bannerWords, coverWords } from "./page_words.js";
import { showConnection } from "./connection.js";
import { _, ngettext } from "./i18n.js";
import { toast } from "./toast.js";
import { errorWords } from "./words.js";

const { user, project, preferences } = boot();
const task = taskOf(project);
// Drawing needs its library, which other pages do without.
const Board = task.shapes ? (await import("./shapes/board.js")).Board : null;
/** The page sizes that there are, ascending. */
const SIZES = [1, 4, 6, 9];
/** So long after a page has come into view nobody can have looked at it. */
const LOOK_MS = 300;

const socket = new Socket();
const outbox = new Outbox(socket, user.user_id, project.project_id);
const session = new Session(socket, outbox, user, project);
const classes = new ClassList($("#classes"), (name, again) => {
  if (!unmeant(again) || !session.current.answering.completes(name)) pick(name);
});
const colors = (name) => classes.colors(name);
const notes = new Notes(socket, project.project_id, user.user_id);
const comments = new Comments(socket, outbox, project.project_id, user.user_id);
const commenting = new CommentDialog($("#comment"), comments, {
  flag,
  sent: () => toast(sentWords(false), "good"),
  closed: () => render(),
});
new ThreadList($("#threads"), comments, (item) => commenting.open([item], false));
const preload = new Preload();
const zoom = new Zoom($("#zoom"), () => render());
const help = $("#help");
const reading = new Reading(`/api/projects/${project.project_id}`, () => render());
const keyMap = new KeyMap(help, preferences.keys, task.shapes ? SHAPE_KEYS : undefined);
new BreakReminder($("#break"), preferences.break_minutes, user.user_id);
const letters = new TypeSize();
const autoSize = new AutoSize(project.project_id, task.text);
const board = Board && new Board($("#drawing"), $(".shape-list"), task, {
  draw: (id, shapes, merge) => session.act({ type: "draw", item_id: id, shapes, merge }),
  note: hint,
  chosen: () => classes.mark(board.marked),
  classes: () => session.project.classes.map((c) => c.name),
}, colors);
const grid = board ?? new Grid(
  $("#grid"),
  task,
  {
    focus: (id) => session.act({ type: "focus", item_id: id }),
    toggle: (id) => session.act({ type: "toggle", item_id: id }),
    zoom: (id) => {
      session.act({ type: "focus", item_id: id });
      openZoom();
    },
    comment: (id) => {
      session.act({ type: "focus", item_id: id });
      openComments(false, [id]);
    },
    arranged: () => fitFirst(),
    said: (words) => setText($("#said"), words),
    untag: (id, name) => session.act({ type: "untag", item_id: id, cls: name }),
  },
  colors,
);
const strip = new RecentStrip($("#recent"), (id) => session.correct(id), colors);

// -- showing

/** @type {HTMLElement[]} what was said about the page in view: it is not true of the next one */
let hints = [];

function hint(text) {
  hints.push(toast(text, "warn"));
}

function dropHints() {
  for (const note of hints) note.remove();
  hints = [];
}

let shown = null;
let looked = false;
let looking = 0;

/** Another page in view takes a moment to be seen. */
function look(page) {
  const id = page?.page_id ?? null;
  if (id === shown) return;
  shown = id;
  looked = false;
  clearTimeout(looking);
  dropHints();
  looking = setTimeout(() => {
    looked = true;
    render();
  }, LOOK_MS);
}

/** Only the model has answered here, and nobody can have seen it: what sends it was meant for the page before. */
function unseen(page) {
  return !looked && !page.correcting && !page.verdicts && !touched(page) && Object.keys(page.answers).length > 0;
}

function render() {
  const page = session.current;
  look(page);
  classes.set(session.project.classes);
  grid.render(session.paused && !page ? null : page, (id) => written(page, id));
  renderBanner(page);
  renderEmpty(page);
  renderActions(page);
  renderCounts();
  strip.render(session.recent, session.correcting?.page_id);
  for (const button of document.querySelectorAll("#sizes button")) {
    const size = Number(button.dataset.size);
    const pressed = autoSize.on ? size === 0 : size === session.pageSize;
    button.setAttribute("aria-pressed", String(pressed));
  }
  const item = page && focused(page);
  classes.mark(board ? item && board.marked : item ? said(page, item) : null);
  if (zoom.isOpen) {
    if (item) openZoom();
    else zoom.close();
  } else if (page && !help.open && !reading.isOpen && !commenting.isOpen) {
    grid.takeKeyboard(page);
  }
  const sizes = new Map(session.queue.flatMap((p) => p.items.map((i) => [i, p.items.length])));
  preload.keep([...sizes.keys()], (i) => pictureOf(i, sizes.get(i)));
}

/** What is written about an item on this page. Of what is handed out anew, only what is new: that a
 * person has written about something before would say that they have seen it before. */
function written(page, id) {
  const threads = comments.about(id).filter((t) => t.last.at >= page.came);
  const sum = (of) => threads.reduce((n, t) => n + t[of], 0);
  return { n: sum("comments"), unread: sum("unread") };
}

function sentWords(flagged) {
  if (!socket.connected) return _("Kept here; it goes out when you are back online.");
  return flagged ? _("Flagged for a supervisor.") : _("Sent to the supervisors.");
}

/** Write about what is in focus, or flag it (or all that are selected). */
function openComments(flag, ids = null) {
  const page = session.current;
  if (!page || session.paused || page.verdicts) return;
  if (zoom.isOpen) zoom.close();
  const about = ids ?? (flag ? targets(page) : [focused(page)?.item_id]);
  const items = page.items.filter((i) => about.includes(i.item_id));
  if (items.length) commenting.open(items, flag);
}

/** Flag those of these items that are still on the page in view. */
function flag(ids) {
  const page = session.current;
  if (session.paused) {
    toast(_("Labeling is paused: nothing was flagged."), "warn");
  } else if (!page || page.verdicts || !page.items.some((i) => ids.includes(i.item_id))) {
    toast(_("It is not here any more: nothing was flagged."), "warn");
  } else {
    session.act({ type: "flag", item_ids: ids });
    toast(sentWords(true), "good");
  }
}

/** What an item is said to be; null: nothing yet, or that nobody can tell. */
function said(page, item) {
  const answer = page.answers[item.item_id];
  return answer?.kind === "label" ? answer.classes : null;
}

function renderBanner(page) {
  const banner = $("#banner");
  const kind = page === null ? "none" : page.correcting ? "correcting" : page.kind;
  banner.dataset.kind = kind;
  const drawn = board && page ? drawingWords(kind, page, page.answers[focused(page)?.item_id]?.shapes ?? [], task) : null;
  const [title, text] = drawn ?? (page ? bannerWords(kind, page, task) : ["", ""]);
  setText($(".banner-title", banner), title);
  setText($(".banner-text", banner), text);
  $("#leave-correction").hidden = kind !== "correcting";
  const total = page?.items.length ?? 0;
  const given = page ? total - missing(page) : 0;
  setText($("#page-progress"), !page || board ? "" : `${given} / ${total}`);
  const bar = $("#page-bar");
  bar.hidden = page === null || board !== null;
  bar.max = Math.max(1, total);
  bar.value = given;
}

function renderEmpty(page) {
  const cover = $("#cover");
  const why = session.paused
    ? session.project.state
    : page
      ? null
      : (session.empty ?? (socket.connected ? "loading" : "offline"));
  cover.hidden = why === null;
  if (why === null) return;
  cover.dataset.why = why;
  const [title, text] = coverWords(why, task);
  setText($("h2", cover), title);
  setText($("p", cover), text);
}

function renderActions(page) {
  const off = page === null || session.paused;
  $("#do-submit").disabled = off;
  const acts = board ? ["#do-skip", "#do-flag", "#do-comment"] : ["#do-select", "#do-skip", "#do-flag", "#do-clear"];
  for (const id of acts) $(id).disabled = off || Boolean(page.verdicts);
  $("#do-undo").disabled = Boolean(page?.verdicts);
  if (board) renderDrawn(page);
  const left = page ? missing(page) : 0;
  const submit = $("#do-submit");
  // A picture with nothing on it can be sent too.
  submit.dataset.ready = String(Boolean(page) && !unseen(page) && (left === 0 || board !== null));
  setText($(".submit-text", submit), submitWords(page, board ? 0 : left));
  if (board) return;
  const all = page !== null && page.selected.length === page.items.length;
  setText($("#do-select .action-text"), all ? _("Select none") : _("Select all"));
  const some = page?.selected.length ?? 0;
  const note = $("#selection");
  note.hidden = some === 0;
  setText(note, some ? selectionWords(page, some) : "");
}

function renderDrawn(page) {
  $("#do-redo").disabled = !page?.future.length;
  const item = page && focused(page);
  const { n } = item ? written(page, item.item_id) : { n: 0 };
  $(".comment-count").hidden = !n;
  setText($(".comment-count"), String(n));
}

function selectionWords(page, some) {
  if (task.multi && page.spent) return ngettext("%(n)s selected", "%(n)s selected", some);
  return task.multi
    ? ngettext("%(n)s selected – now classes", "%(n)s selected – now classes", some)
    : ngettext("%(n)s selected – now a class", "%(n)s selected – now a class", some);
}

function submitWords(page, left) {
  if (!page) return _("Submit");
  if (page.verdicts) return _("Go on");
  if (left) return ngettext("%(n)s to go", "%(n)s to go", left);
  return page.correcting ? _("Save") : _("Submit");
}

function renderCounts() {
  setText($("#today"), count(session.me.today));
  setText($("#total"), _("%(n)s in all", { n: count(session.me.total) }));
  const waiting = outbox.size;
  const unsynced = $("#unsynced");
  // While connected an answer is on its way for a blink; only what stays deserves a word.
  unsynced.hidden = waiting === 0 || socket.connected;
  setText(unsynced, _("%(n)s unsynced", { n: waiting }));
}

function openZoom() {
  const page = session.current;
  const item = page && focused(page);
  if (!item) return;
  zoom.show(item, page.answers[item.item_id] ?? null, colors);
}

/** The first page of texts comes anew in the size that suits it, unless somebody is at it already. */
function fitFirst() {
  const page = session.current;
  const fits = page && autoSize.on && !autoSize.size ? grid.roomFor(SIZES) : null;
  if (fits === null) return;
  autoSize.take(fits);
  if (!page.correcting && !page.past.length && !touched(page)) session.resize(fits);
}

/** A page in view is being sent: those that come are as large as its texts allow. */
function fitNext() {
  if (!autoSize.on) return;
  autoSize.take(grid.roomFor(SIZES));
  session.resizeNext(autoSize.size ?? session.pageSize);
}

/** A class was chosen (null: none): of what is in focus, or of the shape that is drawn next. */
function pick(name) {
  if (!board) session.act({ type: "label", cls: name });
  else if (name === null) RUN.none();
  else {
    board.drawing.do({ type: "class", cls: name });
    render();
  }
}

/** Nothing is on this picture: that is an answer, and sends it. */
function nothing() {
  const page = session.current;
  if (!page || session.paused || page.verdicts) return;
  const why = board.nothing();
  if (why) hint(why);
  else sendDrawn(page);
}

function sendDrawn(page) {
  const item = focused(page);
  if (item && !page.answers[item.item_id]) session.act({ type: "draw", item_id: item.item_id, shapes: [] });
  session.submit();
}

function submit() {
  const page = session.current;
  if (page && unseen(page)) return;
  if (board && page && !page.verdicts && !session.paused) {
    const why = board.holdsBack();
    if (why) hint(why);
    else sendDrawn(page);
    return;
  }
  const lacking = session.submit();
  if (!lacking) return;
  hint(task.text
    ? ngettext("%(n)s text needs an answer first.", "%(n)s texts need an answer first.", lacking)
    : ngettext("%(n)s picture needs an answer first.", "%(n)s pictures need an answer first.", lacking));
  grid.takeKeyboard(session.current);
}

// -- keys and clicks

const RUN = {
  class: ({ index }) => pick(classes.name(index)),
  toggle: () => session.act({ type: "toggle" }),
  selectAll: () => session.act({ type: "selectAll" }),
  clear: () => session.act({ type: "clear" }),
  skip: () => session.act({ type: "skip" }),
  flag: () => openComments(true),
  comment: () => openComments(false),
  none: () => (board ? nothing() : session.act({ type: "label", cls: null })),
  move: ({ dx, dy }) => {
    // Enlarged, or alone on its page, a text is not one of a grid: it is read.
    const alone = zoom.isOpen || session.current?.items.length === 1;
    if (task.text && dy && alone) read(dy, true);
    else session.act({ type: "move", dx, dy, columns: grid.columns });
  },
  step: ({ by }) => session.act({ type: "move", dx: by, dy: 0 }),
  letters: ({ by }) => {
    letters.change(by);
    renderLetters();
    grid.arrange();
  },
  read: ({ by }) => read(by),
  undo: () => (board?.drawing.open ? board.drawing.do({ type: "back" }) : session.undo()),
  redo: () => session.redo(),
  submit: () => (board?.drawing.open ? board.drawing.do({ type: "finish" }) : submit()),
  zoom: () => (zoom.isOpen ? zoom.close() : openZoom()),
  help: () => (help.open ? help.close() : help.showModal()),
  search: ({ text }) => classes.search(text),
  escape: () => escape(),
};

function escape() {
  if (board && !board.drawing.atRest) {
    board.drawing.do({ type: "escape" });
    return;
  }
  if (zoom.isOpen) zoom.close();
  else if (session.correcting) session.leaveCorrection();
  else if (session.current?.selected.length) session.act({ type: "selectNone" });
}

function read(by, lines = false) {
  if (zoom.isOpen) zoom.read(by, lines);
  else grid.read(by, lines);
}

/** Tab goes from item to item, and out of the page at its ends. */
function leaves({ by }) {
  const page = session.current;
  const next = (page?.focus ?? 0) + by;
  return !page || !grid.hasKeyboard || zoom.isOpen || next < 0 || next >= page.items.length;
}

function renderLetters() {
  if (!task.text) return;
  $("#smaller").disabled = letters.smallest;
  $("#larger").disabled = letters.largest;
}

/**
 * The second click of a double click, where the first has sent a page of one item: it would answer
 * the next one, which nobody has seen.
 */
function unmeant(again) {
  return again && session.current?.size === 1;
}

const REPEATED = ["move", "step", "read", "letters", "nudge", "grow", "zoom", "undo", "redo"];
document.addEventListener("keydown", (event) => {
  session.awake();
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, textarea, select")) return;
  if (commenting.isOpen) return;
  if (reading.isOpen) return; // first the new instructions
  if (keyMap.waiting || (help.open && event.key !== "?")) return; // the dialog closes itself on Escape
  const intent = board ? shapeIntent(event, classes.length, keyMap.keys)
    : intentOf(event, classes.length, task, keyMap.keys);
  if (!intent || (event.repeat && !REPEATED.includes(intent.type))) return;
  if (intent.type === "step" && leaves(intent)) return;
  // A control reached with Tab answers to Enter and Space itself.
  const control = target.closest("button, a, summary");
  if (control && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  if (board && session.current && !session.paused && board.drawing.run(intent)) return;
  RUN[intent.type]?.(intent);
});
for (const sign of ["pointerdown", "wheel"]) document.addEventListener(sign, () => session.awake(), { passive: true });

const CLICKS = {
  ...(board ? { "#do-redo": RUN.redo, "#do-comment": RUN.comment } : { "#do-select": RUN.selectAll, "#do-clear": RUN.clear }),
  "#do-skip": (e) => unmeant(e.detail > 1) || RUN.skip(),
  "#do-flag": RUN.flag,
  "#do-undo": RUN.undo,
  "#do-submit": firstClick(submit),
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
  button.addEventListener("click", () => {
    const size = Number(button.dataset.size);
    autoSize.set(size === 0);
    const fits = size === 0 ? grid.roomFor(SIZES) : size;
    session.resize(fits ?? session.pageSize);
    render();
  });
}
if (task.text) {
  for (const [id, by] of [["#smaller", -1], ["#larger", 1]]) {
    $(id).addEventListener("mousedown", (e) => e.preventDefault());
    $(id).addEventListener("click", () => RUN.letters({ by }));
  }
}
$(".dialog-close", help).addEventListener("click", () => help.close());
help.addEventListener("close", render);

// -- the world outside

session.addEventListener("change", render);
session.addEventListener("note", (e) => toast(e.detail.text, e.detail.tone));
session.addEventListener("sending", fitNext);
session.addEventListener("gone", (e) => toast(errorWords(e.detail), "bad"));
outbox.addEventListener("refused", () => render());
session.addEventListener("guideline", (e) => notes.take(e.detail));
let instructions = "";
session.addEventListener("change", () => {
  reading.take(session.project);
  // Sanitised by the server: raw HTML in the Markdown is shown as text there.
  if (session.project.instructions_html === instructions) return;
  instructions = session.project.instructions_html;
  $("#instructions-text").innerHTML = instructions;
  showInstructions();
});
notes.addEventListener("change", showInstructions);
comments.addEventListener("change", render);
comments.addEventListener("comment", ({ detail }) => {
  if (!comments.mine(detail) && !commenting.isOpen) toast(_("%(name)s wrote: %(text)s", detail));
});

function showInstructions() {
  $("#instructions").hidden = !instructions.trim() && !notes.any;
}
setVars(document.documentElement, { "class-count": project.classes.length });
showConnection(socket, { takeOver: () => session.takeOver() });
showInstructions();
renderLetters();
render();
socket.connect();
