/** A project's settings: data, classes, quality, people. */
import { $, boot } from "./dom.js";
import { api } from "./api.js";
import { assignmentsCard } from "./assignments_card.js";
import { classesCard } from "./classes_card.js";
import { instructionsCard } from "./instructions_card.js";
import { lifeCard } from "./life_card.js";
import { importForm } from "./import_form.js";
import { inviteList } from "./invite_list.js";
import { onSubmit, showError } from "./form.js";
import { membersCard } from "./members_card.js";
import { agreed, effectWords } from "./effect.js";
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
onSubmit($("#settings-form"), async (values) => {
  $("#saved").hidden = true;
  const change = { ...values };
  for (const name of ["target", "gold_rate", "audit_share", "iou", "shape_agreement"]) {
    if (name in change) change[name] /= 100;
  }
  if ("detector" in change) change.networks = Number(change.detector);
  delete change.detector;
  const effect = await api("POST", `${root}/preview`, change);
  const words = effectWords(effect, taskOf(project).thing);
  if (words.length && !(await agreed(words))) return;
  take(await api("PATCH", root, change));
  $("#saved").hidden = false;
});

// -- people

const members = membersCard(root, project, project.role === "admin");
inviteList([project], members.show);
assignmentsCard(root, taskOf(project).thing);
members.show().catch((error) => showError($("#invite-form"), error));
