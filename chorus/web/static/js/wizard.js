/**
 * A new project, step by step. Every answer is kept on the server a moment after it is given, so a
 * page that is closed half-way is gone on with later.
 */
import { $, boot, el, fill, setText } from "./dom.js";
import { ApiFailure, api } from "./api.js";
import { classRows } from "./class_rows.js";
import { missingGroups, parseClasses } from "./class_tree.js";
import { ago } from "./format.js";
import { followJob } from "./importing.js";
import { proseEditor, templateOf } from "./prose_editor.js";
import { SourceFields, tell } from "./source_fields.js";
import { taskOf } from "./task.js";
import { toast } from "./toast.js";
import { wizardData } from "./wizard_data.js";
import { ASSUMED_S, estimate, estimateWords, itemsToLabel, labelsCome, missingIn, saidIn } from "./wizard_words.js";

const { user, palette } = boot();
const STEPS = ["name", "task", "data", "classes", "instructions", "quality", "assist", "people", "summary"];
const KEEP_MS = 500;
const MEASURED_OF = 5;
const SHAPES_TARGET = 0.6;
const form = $("#wizard");
const fields = form.elements;

const BLANK = {
  step: "name", reached: 0, name: "", description: "", task_type: "multiclass", set_rule: "class",
  source: { kind: "upload", path: "", columns: null, gold: false, place: null }, found: null,
  classes: [], instructions: "", votes_min: 1, votes_max: 1, target: 0.95, gold_rate: 0.05,
  iou: 0.5, shape_agreement: 0.8, assist: true, prelabel: true, cluster: true, ordering: "random", audit_share: 0.05, practice: 0, networks: 0, fine_tune: null, people: [],
  seconds: null,
};
let answers = structuredClone(BLANK);
let draftId = null;
let beginning = null;
let timer = 0;
let saving = Promise.resolve();
let made = false;
const measured = new Map();

// -- keeping

/** The draft's id; the first answer begins one. */
function draft() {
  if (draftId) return Promise.resolve(draftId);
  beginning ??= api("POST", "/api/drafts", answers).then(({ draft_id }) => {
    draftId = draft_id;
    history.replaceState(null, "", `?draft=${draft_id}${location.hash}`);
    return draft_id;
  }).finally(() => (beginning = null));
  return beginning;
}

function save() {
  clearTimeout(timer);
  timer = 0;
  saving = saving.catch(() => {}).then(async () => {
    const id = await draft();
    await api("PUT", `/api/drafts/${id}`, answers);
    setText($("#kept"), "Kept");
  });
  saving.catch((error) => setText($("#kept"), `Not kept: ${error.message}`));
  return saving;
}

function changed() {
  if (made) return;
  setText($("#kept"), "…");
  clearTimeout(timer);
  timer = setTimeout(save, KEEP_MS);
  showSteps();
}

window.addEventListener("pagehide", () => {
  if (!timer || made) return;
  const route = draftId ? `/api/drafts/${draftId}` : "/api/drafts";
  fetch(route, {
    method: draftId ? "PUT" : "POST", keepalive: true, credentials: "same-origin",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify(answers),
  });
});

// -- answers and fields

const PERCENT = ["target", "gold_rate", "audit_share", "iou", "shape_agreement"];
const PLAIN = ["name", "description", "task_type", "set_rule", "instructions", "votes_min", "votes_max", "assist", "prelabel", "cluster", "ordering", "practice", "fine_tune", "seconds"];

function read() {
  for (const name of PLAIN) {
    const field = fields[name];
    if (field.type === "checkbox") answers[name] = field.checked;
    else if (field.type === "number") answers[name] = Number.isNaN(field.valueAsNumber) ? answers[name] : field.valueAsNumber;
    else answers[name] = field.value;
  }
  for (const name of PERCENT) if (!Number.isNaN(fields[name].valueAsNumber)) answers[name] = Math.round(fields[name].valueAsNumber * 10) / 1000;
  answers.source = { ...answers.source, kind: fields.source.value, path: fields.path.value.trim(), gold: fields.gold.checked, columns: columns(), place: fields.source.value === "place" ? place.place() : answers.source.place };
  const networks = taskOf(answers).shapes ? fields.detector : fields.networks;
  answers.networks = networks ? Number(networks.value) : 0;
}

/** Of a table of texts: the columns to show; null: as the server sees fit. */
function columns() {
  const named = fields.columns.value.split(",").map((name) => name.trim()).filter(Boolean);
  return named.length && taskOf(answers).text ? named : null;
}

function write() {
  for (const name of PLAIN) {
    const field = fields[name];
    if (field.type === "checkbox") field.checked = answers[name] ?? field.checked;
    else field.value = answers[name] ?? field.value;
  }
  for (const name of PERCENT) fields[name].value = String(Math.round(answers[name] * 1000) / 10);
  fields.source.value = answers.source.kind;
  fields.path.value = answers.source.path;
  fields.columns.value = (answers.source.columns ?? []).join(", ");
  fields.gold.checked = answers.source.gold;
  if (answers.source.place) place.write(answers.source.place);
  for (const field of [fields.networks, fields.detector]) if (field) field.value = String(answers.networks);
  fields.list.value = answers.classes.map((c) => c.name).join("\n");
}

/** What is asked, and in which words, follows the answers so far. */
function follow() {
  const task = taskOf(answers);
  $("#set-rules").hidden = !task.multi;
  $("#none-hint").hidden = !task.multi;
  $("#shape-rules").hidden = !task.shapes;
  setText($("#target-hint"), task.shapes
    ? "So large a share of the boxes that the model shows must be among those people draw. Even a perfect model misses some: people overlook things, and draw roughly."
    : "What the model must prove before it fills anything in. More means later and fewer.");
  $("#cluster-row").hidden = task.text || task.shapes !== null;
  $("#ordering-row").hidden = task.shapes !== null;
  $("#assist-more").hidden = !answers.assist;
  const seen = task.text || Boolean(task.shapes);
  $("#fine-tune-row").hidden = seen;
  $("#detector-row").hidden = answers.task_type !== "boxes";
  for (const id of ["#networks-row", "#source-place [data-pictures]"]) {
    const node = document.querySelector(id);
    if (node) node.hidden = id === "#networks-row" ? seen : task.text;
  }
  for (const node of form.querySelectorAll("[data-thing]")) setText(node, task.thing);
  fields.list.placeholder = task.text ? "positive\nnegative" : "cat\ndog";
  const labels = [...(answers.found?.labels ?? []), ...(answers.found?.folders ?? [])];
  $("#use-labels").disabled = !labels.length;
  data.show();
  if (answers.step === "summary") showSummary();
}

form.addEventListener("input", (e) => {
  problem(null);
  read();
  if (e.target === fields.list) takeList();
  if (e.target.name === "seconds") showEstimate();
  changed();
});
form.addEventListener("change", (e) => {
  read();
  // See docs/decisions/0016: what one person draws is no standard that a model could meet to 95 %.
  if (e.target.name === "task_type") {
    const [from, to] = taskOf(answers).shapes ? [BLANK.target, SHAPES_TARGET] : [SHAPES_TARGET, BLANK.target];
    if (answers.target === from) {
      answers.target = to;
      write();
    }
  }
  if (e.target.name === "source" || e.target.name === "task_type") {
    // What was found elsewhere, or was wrong there, says nothing of this.
    answers.found = null;
    data.look();
  }
  if (e.target.name === "task_type") seconds();
  follow();
  changed();
});

// -- classes

function takeList() {
  const before = new Map(answers.classes.map((c) => [c.name, c]));
  answers.classes = parseClasses(fields.list.value).map(({ name, color }, i) => ({
    name, color: color ?? before.get(name)?.color ?? palette[i % palette.length], key: before.get(name)?.key ?? null,
  }));
  showClasses();
}

function showClasses() {
  const shown = withKeys(answers.classes);
  classRows($("#class-rows"), shown, (index, change) => {
    if (change.name !== undefined && (!change.name || answers.classes.some((c, i) => i !== index && c.name === change.name))) {
      toast(change.name ? "There is a class of that name already." : "A class needs a name.", "warn");
      showClasses();
      return;
    }
    if (change.key) for (const c of answers.classes) if (c.key === change.key) c.key = null;
    Object.assign(answers.classes[index], change);
    fields.list.value = answers.classes.map((c) => c.name).join("\n");
    showClasses();
    changed();
  }, (index) => {
    answers.classes.splice(index, 1);
    fields.list.value = answers.classes.map((c) => c.name).join("\n");
    showClasses();
    changed();
  });
  $("#add-groups").hidden = !missingGroups(answers.classes.map((c) => c.name)).length;
}

/** As the server will give the digits away. */
function withKeys(classes) {
  const given = new Set(classes.map((c) => c.key).filter(Boolean));
  const free = [..."123456789"].filter((key) => !given.has(key));
  return classes.map((c) => ({ ...c, key: c.key ?? free.shift() ?? null }));
}

$("#use-labels").addEventListener("click", () => {
  const { labels, folders } = answers.found;
  const names = (labels.length ? labels : folders).map(([name]) => name);
  const lines = fields.list.value.split("\n").filter((line) => line.trim());
  fields.list.value = [...new Set([...lines, ...names])].join("\n");
  takeList();
  changed();
});
$("#add-groups").addEventListener("click", () => {
  const names = answers.classes.map((c) => c.name);
  fields.list.value = [...missingGroups(names), ...names].join("\n");
  takeList();
  changed();
});

// -- data, instructions, people

const place = new SourceFields(form, "place_", $("#source-place"));
$("#place-test").addEventListener("click", async (e) => {
  const said = $("#place-said");
  said.hidden = false;
  said.className = "muted";
  setText(said, "Looking …");
  e.target.disabled = true;
  try {
    read();
    await save();
    tell(said, await api("POST", `/api/drafts/${draftId}/test`, { credentials: place.credentials() }));
  } catch (error) {
    tell(said, { ok: false, message: error.message, examples: [] });
  } finally {
    e.target.disabled = false;
  }
});

const data = wizardData({
  draft, save, answers: () => answers,
  found: (found) => {
    answers.found = found;
    follow();
    changed();
  },
});
$("#look").addEventListener("click", () => {
  read();
  problem(fields.path.value.trim() ? null : missingIn("data", answers));
});
const prose = proseEditor($('[data-step="instructions"]'), {
  preview: "/api/drafts/preview", pictures: async () => `/api/drafts/${await draft()}/pictures`,
  template: () => templateOf(answers.name, answers.classes, taskOf(answers).thing),
});

async function showPeople() {
  const { users } = await api("GET", "/api/users");
  const roles = new Map(answers.people.map((p) => [p.user_id, p.role]));
  const others = users.filter((u) => u.user_id !== user.user_id && !u.admin);
  fill($("#people"), ...(others.length ? others.map((u) => el("tr", {},
    el("td", {}, u.name), el("td", { class: "muted" }, u.login),
    el("td", {}, el("select", {
      "aria-label": `${u.name} takes part as`,
      onchange: (e) => {
        answers.people = answers.people.filter((p) => p.user_id !== u.user_id);
        if (e.target.value) answers.people.push({ user_id: u.user_id, role: e.target.value });
        changed();
      },
    }, ...[["", "–"], ["labeler", "labeler"], ["supervisor", "supervisor"]].map(([value, text]) =>
      el("option", { value, selected: (roles.get(u.user_id) ?? "") === value }, text))))))
    : [el("tr", {}, el("td", { class: "muted", colSpan: 3 }, "Nobody else is on this server yet. Invite people from the project's settings, by a link."))]));
}

// -- summary

/** The pace that this server has measured on work of the same kind, or an assumption. */
async function seconds() {
  const type = answers.task_type;
  if (!measured.has(type)) {
    measured.set(type, null);
    try {
      const { projects } = await api("GET", "/api/projects");
      for (const project of projects.filter((p) => p.task_type === type).reverse().slice(0, MEASURED_OF)) {
        const { views } = await api("GET", `/api/projects/${project.project_id}/pace`);
        const hand = views.find((v) => v.view === "manual");
        if (!hand?.seconds) continue;
        measured.set(type, { value: hand.seconds.value, of: project.name, n: hand.timed });
        break;
      }
    } catch {
      // The assumption will do.
    }
  }
  const found = measured.get(type);
  if (answers.seconds === null || !answers.seconds_mine) fields.seconds.value = String(Math.round(10 * (found?.value ?? ASSUMED_S[type])) / 10);
  setText($("#seconds-note"), found ? `Measured in “${found.of}”: the median of ${found.n} answers by hand.` : "An assumption; this server has measured nothing of the kind yet. Change it as you know better.");
  answers.seconds = fields.seconds.valueAsNumber;
}
fields.seconds.addEventListener("input", () => (answers.seconds_mine = true));

function showEstimate() {
  const gold = answers.source.gold && labelsCome(answers);
  setText($("#estimate"), estimateWords(estimate({ ...answers, items: itemsToLabel(answers), gold, seconds: answers.seconds || 1 }), answers.assist && (answers.prelabel || answers.cluster)));
}

function showSummary() {
  fill($("#summary"), ...STEPS.slice(0, -1).flatMap((step) => [
    el("dt", {}, $(`[data-go="${step}"] .step-title`).textContent), el("dd", {}, saidIn(step, answers) || "–")]));
  showEstimate();
}

// -- going from step to step

function showSteps() {
  for (const [at, step] of STEPS.entries()) {
    const button = $(`[data-go="${step}"]`);
    if (step === answers.step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    button.dataset.done = String(at < answers.reached && !missingIn(step, answers));
    setText($(".step-said", button), at <= answers.reached ? saidIn(step, answers) : "");
  }
}

function problem(found) {
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const box = $("#problem");
  box.hidden = !found;
  if (!found) return;
  const [name, words] = found;
  setText(box, words);
  fields[name]?.setAttribute?.("aria-invalid", "true");
  fields[name]?.focus?.();
}

function go(step, focus = true) {
  answers.step = step;
  answers.reached = Math.max(answers.reached, STEPS.indexOf(step));
  problem(null);
  for (const section of form.querySelectorAll("[data-step]")) section.hidden = section.dataset.step !== step;
  $("#back").hidden = step === STEPS[0];
  setText($(".next-text"), step === "summary" ? "Initialize" : "Next");
  if (step === "classes") showClasses();
  if (step === "instructions") prose.show();
  if (step === "people") showPeople().catch((e) => toast(e.message, "bad"));
  if (step === "summary") seconds().then(showSummary);
  follow();
  showSteps();
  if (focus) {
    const first = form.querySelector(`[data-step="${step}"] :is(input:not([type=file]), textarea, select):not([hidden])`);
    (step === "name" || step === "classes" ? first : form.querySelector(`[data-step="${step}"] h1`))?.focus();
    scrollTo({ top: 0 });
  }
}

for (const button of document.querySelectorAll("[data-go]")) {
  button.addEventListener("click", () => {
    go(button.dataset.go);
    changed();
  });
}
$("#back").addEventListener("click", () => {
  go(STEPS[Math.max(0, STEPS.indexOf(answers.step) - 1)]);
  changed();
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  read();
  if (answers.step === "data" && answers.source.kind === "server") await data.look();
  if (answers.step !== "summary") {
    const missing = missingIn(answers.step, answers);
    if (missing) return problem(missing);
    go(STEPS[STEPS.indexOf(answers.step) + 1]);
    return changed();
  }
  for (const step of STEPS) {
    const missing = missingIn(step, answers);
    if (missing) {
      go(step);
      return problem(missing);
    }
  }
  await initialize();
});

async function initialize() {
  const next = $("#next");
  next.disabled = true;
  try {
    await save();
    $("#making").hidden = false;
    setText($("#making-text"), "Making the project …");
    const { project, job } = await api("POST", `/api/drafts/${draftId}/initialize`, answers.source.kind === "place" ? { credentials: place.credentials() } : {});
    made = true;
    clearTimeout(timer);
    timer = 0;
    for (const id of ["#back", "#discard"]) $(id).hidden = true;
    const root = `/api/projects/${project.project_id}`;
    if (job) {
      const ended = await followJob(root, job, (now) => {
        $("#making-bar").value = now.progress ?? 0;
        setText($("#making-text"), `${now.added} added, ${now.duplicates} duplicates left out, ${now.faulty} faulty${now.total ? `, of ${now.total}` : ""}`);
      });
      if (ended.state === "failed" || ended.faulty) {
        setText($("#making-text"), `${ended.state === "failed" ? `The import failed: ${ended.error}` : "Done, but not everything came in."} The project is made.`);
        fill($("#faults"), ended.errors?.length ? el("table", { class: "table" }, el("tbody", {}, ...ended.errors.map((e) => el("tr", {}, el("td", {}, e.name), el("td", {}, e.reason))))) : null,
          el("a", { class: "button primary", href: `/p/${project.project_id}` }, "To the project"));
        return;
      }
    }
    location.assign(`/p/${project.project_id}`);
  } catch (error) {
    $("#making").hidden = true;
    problem(["name", error instanceof ApiFailure ? error.message : String(error)]);
    next.disabled = false;
  }
}

$("#discard").addEventListener("click", async () => {
  if (!confirm("Discard this draft, with the files sent to it?")) return;
  clearTimeout(timer);
  made = true;
  if (draftId) await api("DELETE", `/api/drafts/${draftId}`).catch(() => {});
  location.assign("/");
});

// -- beginning, or going on

async function showDrafts(drafts) {
  const others = drafts.filter((d) => d.draft_id !== draftId);
  $("#unfinished").hidden = !others.length;
  fill($("#drafts"), ...others.map((d) => el("li", {},
    el("b", {}, d.body.name || "Without a name"), el("span", { class: "muted small" }, ago(d.updated_at)), el("span", { class: "spring" }),
    el("a", { class: "button", href: `/projects/new?draft=${d.draft_id}` }, "Continue"),
    el("button", { type: "button", class: "button quiet danger", onclick: async () => {
      if (!confirm(`Discard “${d.body.name || "the draft"}”, with the files sent to it?`)) return;
      await api("DELETE", `/api/drafts/${d.draft_id}`).catch((e) => toast(e.message, "bad"));
      await begin();
    } }, "Discard"))));
}

async function begin() {
  const { drafts } = await api("GET", "/api/drafts");
  await showDrafts(drafts);
}

function ready() {
  write();
  $("#next").disabled = false;
  go(answers.step, !wanted || answers.step !== "name");
}

const wanted = new URLSearchParams(location.search).get("draft");
if (!wanted) {
  // What was typed before the script was there stays; and a new one waits for nothing, or an Enter
  // given while the unfinished ones are asked for would be lost.
  read();
  ready();
}
try {
  if (wanted) {
    const found = await api("GET", `/api/drafts/${wanted}`);
    draftId = wanted;
    answers = { ...answers, ...found.body };
  }
  await begin();
} catch (error) {
  toast(error.message, "bad");
}
if (wanted) {
  ready();
  data.look();
}
