/** The start page: my projects, what I have done in each, and what waits there. */
import { $, boot, el, fill } from "./dom.js";
import { api } from "./api.js";
import { ago, count, percent } from "./format.js";
import { _, ngettext } from "./i18n.js";
import { taskOf } from "./task.js";
import { errorWords } from "./words.js";

const { user } = boot();
const list = $("#projects");

function card(project) {
  const { me } = project;
  const home = `/p/${project.project_id}`;
  const watches = project.role !== "labeler";
  return el(
    "article",
    { class: "card project-card", dataset: { project: project.project_id } },
    el("h2", {}, el("a", { href: watches ? home : `${home}/label` }, project.name)),
    project.description ? el("p", { class: "muted" }, project.description) : null,
    el("p", { class: "waits" }, waits(project)),
    el("progress", { value: project.labeled, max: Math.max(1, project.items), "aria-label": _("Labeled, by everybody") }),
    el("dl", { class: "facts" },
      fact(_("my answers today"), count(me.today)),
      fact(_("in all"), count(me.total)),
      fact(_("last answer"), me.last_at ? ago(me.last_at) : "–"),
      me.per_hour ? fact(_("an hour"), count(me.per_hour)) : null,
      me.agreement !== undefined && me.agreement !== null ? fact(_("as others say"), percent(me.agreement, 0)) : null),
    project.instructions.trim() ? instructions(project) : null,
    el(
      "p",
      { class: "row" },
      el("a", { class: "button primary", href: `${home}/label` }, _("Label")),
      el("a", { class: "button", href: `${home}/history` }, _("My answers")),
      watches ? el("a", { class: "button", href: home }, _("Dashboard")) : null,
      me.unread ? el("a", { class: "chip-plain unread", href: `${home}/${watches ? "review?state=all&comments=unread" : "label"}`, dataset: { tone: "warn" } },
        ngettext("%(n)s new comment", "%(n)s new comments", me.unread)) : null,
    ),
  );
}

/** Projects that this admin has begun to make and not finished. */
async function showUnfinished() {
  const { drafts } = await api("GET", "/api/drafts");
  $("#unfinished").hidden = !drafts.length;
  fill($("#unfinished"), _("Unfinished:"), " ", ...drafts.flatMap((draft, i) => [
    i ? ", " : null, el("a", { href: `/projects/new?draft=${draft.draft_id}` }, draft.body.name || _("without a name"))]));
}

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

/** What there is to do, or why there is nothing. */
function waits(project) {
  if (project.me.paused) return _("A supervisor has paused your work for now.");
  if (project.state === "archived") return _("This project has been put away.");
  if (project.state === "paused") return _("The project is paused.");
  if (!project.items) return _("Nothing has been brought in yet.");
  if (!project.open) return _("Everything is labeled.");
  const done = { done: percent(project.labeled / project.items, 0) };
  return taskOf(project).text
    ? ngettext("%(n)s text waits; %(done)s are labeled.", "%(n)s texts wait; %(done)s are labeled.", project.open, done)
    : ngettext("%(n)s picture waits; %(done)s are labeled.", "%(n)s pictures wait; %(done)s are labeled.", project.open, done);
}

function instructions(project) {
  const text = el("div", { class: "prose" });
  // Sanitised by the server: raw HTML in the Markdown is shown as text there.
  text.innerHTML = project.instructions_html;
  return el("details", {}, el("summary", {}, _("Instructions")), text);
}

function nothing() {
  return user.admin
    ? el("div", { class: "empty card" }, el("h2", {}, _("Make your first project")),
        el("p", {}, _("Give it classes, bring in pictures or texts, invite people.")),
        el("a", { class: "button primary", href: "/projects/new" }, _("New project")))
    : el("div", { class: "empty card" }, el("h2", {}, _("No project for you now")),
        el("p", {}, _("As soon as somebody adds you to one, or brings one back that was put away, it appears here.")));
}

try {
  const { projects } = await api("GET", "/api/me/projects");
  $("#overview-link").hidden = !projects.some((p) => p.role !== "labeler");
  // What was put away comes last.
  const sorted = [...projects].sort((a, b) => Number(a.state === "archived") - Number(b.state === "archived"));
  fill(list, ...(projects.length ? sorted.map(card) : [nothing()]));
  if (user.admin) await showUnfinished();
} catch (error) {
  fill(list, el("p", { class: "error", role: "alert" }, errorWords(error)));
}
