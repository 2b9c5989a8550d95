/** A project's settings: data, classes, quality, people. */
import { $, boot, el, fill, setText } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { followJob, uploadFiles } from "./importing.js";

let { project } = boot();
const root = `/api/projects/${project.project_id}`;

// -- data

const showImport = (job) => {
  $("#import").hidden = false;
  $("#import-bar").value = job.progress ?? 0;
  const words = { done: "Done", failed: "Failed" }[job.state] ?? "Importing";
  setText($("#import-text"), `${words}: ${job.added} added, ${job.duplicates} duplicates left out, ${job.faulty} faulty${job.total ? `, of ${job.total}` : ""}${job.error ? `. ${job.error}` : ""}`);
  fill($("#faults"), job.errors?.length
    ? el("table", { class: "table" }, el("tbody", {}, ...job.errors.map((e) => el("tr", {}, el("td", {}, e.name), el("td", {}, e.reason)))))
    : null);
};

function refused(error) {
  $("#import").hidden = false;
  setText($("#import-text"), "");
  fill($("#faults"), el("p", { class: "error", role: "alert" }, error.message));
}

async function send(files) {
  if (!files.length) return;
  try {
    await uploadFiles(root, [...files], showImport, $("#gold-labels").checked);
  } catch (error) {
    refused(error);
  }
}
$("#files").addEventListener("change", async (e) => {
  await send(e.target.files);
  e.target.value = "";
});
const drop = $("#drop");
for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.dataset.over = String(type === "dragenter" || type === "dragover");
    if (type === "drop") send(event.dataTransfer.files);
  });
}
const folder = document.querySelector("#folder-form");
if (folder) {
  onSubmit(folder, async ({ path }) => {
    const body = path.toLowerCase().endsWith(".csv") 
      ? { csv: path, gold: $("#gold-labels").checked }
      : { folder: path };
    await followJob(root, await api("POST", `${root}/import`, body), showImport);
  });
}

// -- classes and settings

function showClasses() {
  fill($("#classes"), ...project.classes.map((c) =>
    el("span", { class: "chip-plain" }, el("span", { class: "swatch", vars: { c: c.color } }), c.name)));
}
onSubmit($("#class-form"), async ({ name }) => {
  project = await api("POST", `${root}/classes`, { name });
  $("#class-form").reset();
  showClasses();
});
onSubmit($("#settings-form"), async (values) => {
  $("#saved").hidden = true;
  project = await api("PATCH", root, {
    ...values,
    target: values.target / 100,
    gold_rate: values.gold_rate / 100,
    audit_share: values.audit_share / 100,
  });
  $("#saved").hidden = false;
});

// -- people

async function showMembers() {
  const { members } = await api("GET", `${root}/members`);
  const row = (m) => el("tr", {}, el("td", {}, m.name), el("td", { class: "muted" }, m.login), el("td", {}, m.role),
    el("td", { class: "num" }, el("button", { class: "button quiet danger", type: "button", onclick: () => remove(m) }, "Remove")));
  fill($("#members"), el("tbody", {}, ...(members.length
    ? members.map(row)
    : [el("tr", {}, el("td", { class: "muted" }, "Nobody yet: make an invitation link."))])));
}
async function remove(member) {
  if (!confirm(`Remove ${member.name} from this project? Their votes stay.`)) return;
  try {
    await api("DELETE", `${root}/members/${member.user_id}`);
    await showMembers();
  } catch (error) {
    showError($("#invite-form"), error);
  }
}
onSubmit($("#invite-form"), async ({ role }) => {
  const { url } = await api("POST", "/api/invites", { role, project_id: project.project_id });
  const box = $("#invitation");
  box.hidden = false;
  fill(box, "Good for one person, seven days: ", el("code", {}, new URL(url, location.href).href));
});

showClasses();
showMembers().catch((error) => showError($("#invite-form"), error));
