/** A project's settings: data, classes, quality, people. */
import { $, boot } from "./dom.js";
import { api } from "./api.js";
import { assignmentsCard } from "./assignments_card.js";
import { classesCard } from "./classes_card.js";
import { instructionsCard } from "./instructions_card.js";
import { lifeCard } from "./life_card.js";
import { importForm } from "./import_form.js";
import { inviteList } from "./invite_list.js";
import { changedIn, onSubmit, showError, written } from "./form.js";
import { membersCard } from "./members_card.js";
import { asked, effectWords } from "./effect.js";
import { sourcesCard } from "./sources.js";
import { taskOf } from "./task.js";

let { project } = boot();
const root = `/api/projects/${project.project_id}`;

importForm(root, taskOf(project));
sourcesCard(root, project.role === "admin", taskOf(project).text);

// -- classes and settings

const take = (next) => {
  project = next;
  life.show();
  life.history().catch(() => {});
};
const life = lifeCard(root, () => project, (next) => (project = next));
classesCard(root, project, take);
instructionsCard(root, () => project, take);
const PERCENT = ["target", "gold_rate", "audit_share", "iou", "shape_agreement"];
const rules = /** @type {HTMLFormElement} */ ($("#settings-form"));

/** The rules as they are now, those too that somebody else has changed since the page came. */
function showRules() {
  const shares = PERCENT.filter((name) => name in project).map((name) => [name, Math.round(project[name] * 1000) / 10]);
  written(rules, { ...project, ...Object.fromEntries(shares), detector: project.networks === 1 ? 1 : 0 });
}

onSubmit(rules, async () => {
  $("#saved").hidden = true;
  const change = changedIn(rules);
  for (const name of PERCENT) if (name in change) change[name] /= 100;
  if ("detector" in change) change.networks = Number(change.detector);
  delete change.detector;
  if (Object.keys(change).length) {
    const effect = await api("POST", `${root}/preview`, change);
    const words = effectWords(effect, taskOf(project).thing);
    const answer = words.length ? await asked(words) : "apply";
    if (answer === "leave") rules.reset(); // to what is in force
    if (answer !== "apply") return;
    take(await api("PATCH", root, change));
  } else take(await api("GET", root));
  showRules();
  $("#saved").hidden = false;
});

// -- people

const members = membersCard(root, project, project.role === "admin");
inviteList([project], members.show);
assignmentsCard(root, taskOf(project).thing);
members.show().catch((error) => showError($("#invite-form"), error));
