/** My projects, a card each. */
import { $, boot, el, fill } from "./dom.js";
import { api } from "./api.js";
import { plural } from "./format.js";
import { taskOf } from "./task.js";

const { user } = boot();
const list = $("#projects");

function card(project) {
  const home = `/p/${project.project_id}`;
  const watches = project.role !== "labeler";
  return el(
    "article",
    { class: "card project-card" },
    el("h2", {}, el("a", { href: watches ? home : `${home}/label` }, project.name)),
    project.description ? el("p", { class: "muted" }, project.description) : null,
    el(
      "p",
      { class: "row small" },
      el("span", { class: "chip-plain" }, plural(project.items, taskOf(project).thing)),
      el("span", { class: "chip-plain" }, plural(project.classes.length, "class", "classes")),
      project.state === "archived" ? el("span", { class: "chip-plain" }, "archived") : null,
      project.state === "paused" ? el("span", { class: "chip-plain", dataset: { tone: "warn" } }, "paused") : null,
    ),
    el(
      "p",
      { class: "row" },
      el("a", { class: "button primary", href: `${home}/label` }, "Label"),
      watches ? el("a", { class: "button", href: home }, "Dashboard") : null,
    ),
  );
}

/** Projects that this admin has begun to make and not finished. */
async function showUnfinished() {
  const { drafts } = await api("GET", "/api/drafts");
  $("#unfinished").hidden = !drafts.length;
  fill($("#unfinished"), "Unfinished: ", ...drafts.flatMap((draft, i) => [
    i ? ", " : null, el("a", { href: `/projects/new?draft=${draft.draft_id}` }, draft.body.name || "without a name")]));
}

function nothing() {
  return user.admin
    ? el("div", { class: "empty card" }, el("h2", {}, "Make your first project"),
        el("p", {}, "Give it classes, bring in pictures or texts, invite people."),
        el("a", { class: "button primary", href: "/projects/new" }, "New project"))
    : el("div", { class: "empty card" }, el("h2", {}, "No projects yet"),
        el("p", {}, "As soon as somebody adds you to one, it appears here."));
}

try {
  const { projects } = await api("GET", "/api/projects");
  $("#overview-link").hidden = !projects.some((p) => p.role !== "labeler");
  // What was put away comes last.
  const sorted = [...projects].sort((a, b) => Number(a.state === "archived") - Number(b.state === "archived"));
  fill(list, ...(projects.length ? sorted.map(card) : [nothing()]));
  if (user.admin) await showUnfinished();
} catch (error) {
  fill(list, el("p", { class: "error", role: "alert" }, error.message));
}
