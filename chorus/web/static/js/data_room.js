/** The data room: labels out and in. */
import { $, boot, el } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { ExportsList } from "./exports_list.js";
import { offersContent, orderOf } from "./export_words.js";
import { LabelsIn } from "./labels_in.js";
import { taskOf } from "./task.js";

const { project } = boot();
const root = `/api/projects/${project.project_id}`;
const task = taskOf(project);
const form = $("#export-form");
const names = new Map();
const list = new ExportsList(root, names);

onSubmit(form, async (values) => {
  await api("POST", `${root}/exports`, orderOf(values, task.text));
  await list.load();
});

function offer() {
  $("#content-choice").hidden = !offersContent(form.elements.format.value, task.text);
}
form.addEventListener("change", offer);
offer();

const labels = new LabelsIn(root);
try {
  const { members } = await api("GET", `${root}/members`);
  for (const member of members) {
    names.set(member.user_id, member.name);
    $("#x-labeler").append(el("option", { value: member.user_id }, member.name));
    document.querySelector("#l-person")?.append(el("option", { value: member.login }, `${member.name} (${member.login})`));
  }
  await Promise.all([list.load(), labels.load()]);
} catch (error) {
  showError(form, error);
}
