/** Bringing data in: files chosen or dropped, a path on the server, and which columns to show. */
import { $, el, fill, onDrop, setText } from "./dom.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";
import { followJob, isTable, uploadFiles } from "./importing.js";
import { columnsOf } from "./table_head.js";

const HEAD_BYTES = 1 << 16;
const EXAMPLE_CHARS = 90;
const ROLES = { name: "its name, not shown", label: "its label, not shown", gold: "gold or not, not shown" };

/** @param {string} root of the project's REST routes @param {import("./task.js").Task} task */
export function importForm(root, task) {
  const gold = () => $("#gold-labels").checked;

  async function send(files) {
    if (!files.length) return;
    try {
      const columns = task.text ? await chosenColumns(files) : [];
      if (columns === null) return; // thought better of it
      await uploadFiles(root, files, showImport, { gold: gold(), columns });
    } catch (error) {
      refused(error);
    }
  }
  $("#files").addEventListener("change", async (e) => {
    await send([...e.target.files]);
    e.target.value = "";
  });
  onDrop($("#drop"), ({ files }) => send([...files]));
  const folder = document.querySelector("#folder-form");
  if (!folder) return;
  onSubmit(folder, async ({ path, columns = "" }) => {
    const named = columns.split(",").map((name) => name.trim()).filter(Boolean);
    const body = {
      ...(isTable(path) ? { csv: path, gold: gold() } : { folder: path }),
      ...(named.length ? { columns: named } : {}),
    };
    await followJob(root, await api("POST", `${root}/import`, body), showImport);
  });
}

function showImport(job) {
  $("#import").hidden = false;
  $("#import-bar").value = job.progress ?? 0;
  const words = { done: "Done", failed: "Failed" }[job.state] ?? "Importing";
  setText($("#import-text"), `${words}: ${job.added} added, ${job.duplicates} duplicates left out, ${job.faulty} faulty${job.total ? `, of ${job.total}` : ""}${job.error ? `. ${job.error}` : ""}`);
  fill($("#faults"), job.errors?.length
    ? el("table", { class: "table" }, el("tbody", {}, ...job.errors.map((e) => el("tr", {}, el("td", {}, e.name), el("td", {}, e.reason)))))
    : null);
}

function refused(error) {
  $("#import").hidden = false;
  setText($("#import-text"), "");
  fill($("#faults"), el("p", { class: "error", role: "alert" }, error.message));
}

/**
 * Ask which columns of a table are the text, where there is a choice.
 * @param {File[]} files
 * @returns {Promise<?string[]>} empty: as the server sees fit; null: do not import
 */
async function chosenColumns(files) {
  const table = files.find((f) => isTable(f.name));
  if (!table) return [];
  const columns = columnsOf(await table.slice(0, HEAD_BYTES).text(), table.name);
  if (columns === null || columns.filter((c) => c.role === "text").length < 2) return [];
  return ask(table.name, columns);
}

/** @param {string} name @param {import("./table_head.js").Column[]} columns */
function ask(name, columns) {
  const dialog = $("#columns");
  setText($("#columns-title"), `What do people read of ${name}?`);
  fill($(".column-list", dialog), ...columns.map((c) => el("label", { class: "check column" },
    el("input", { type: "checkbox", value: c.name, checked: c.role === "text" }),
    el("span", {}, el("b", {}, c.name), " ", c.role === "text" ? null : el("span", { class: "chip-plain" }, ROLES[c.role])),
    el("span", { class: "small muted column-example", dir: "auto" }, c.example.slice(0, EXAMPLE_CHARS)))));
  const boxes = [...dialog.querySelectorAll("input")];
  const go = $("button[value=import]", dialog);
  const check = () => (go.disabled = !boxes.some((b) => b.checked));
  for (const box of boxes) box.addEventListener("change", check);
  check();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const chosen = boxes.filter((b) => b.checked).map((b) => b.value);
      resolve(dialog.returnValue === "import" ? chosen : null);
    }, { once: true });
  });
}
