/** The wizard's data: files sent to the draft in bearable parts, or a place on the server. */
import { $, el, fill, onDrop } from "./dom.js";
import { api, decode, offline } from "./api.js";
import { count, plural } from "./format.js";
import { inParts } from "./importing.js";
import { labelsCome } from "./wizard_words.js";
import { taskOf } from "./task.js";
import { toast } from "./toast.js";

const SHOWN = 8;

/**
 * @param {{draft: () => Promise<string>, answers: () => any, found: (found: any) => void,
 *   save: () => Promise<void>}} wizard `draft`: its id, made if there is none; `save`: now
 */
export function wizardData(wizard) {
  let busy = false;

  async function send(files) {
    if (!files.length || busy) return;
    busy = true;
    $("#sending").hidden = false;
    try {
      await wizard.save();
      const root = `/api/drafts/${await wizard.draft()}`;
      const parts = inParts(files);
      let done = 0;
      for (const part of parts) {
        const found = await post(`${root}/files`, part);
        done += part.length;
        $("#sent").value = done / files.length;
        wizard.found(found);
      }
      toast(`${plural(files.length, "file")} sent and kept.`, "good");
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      busy = false;
      $("#sending").hidden = true;
    }
  }
  for (const id of ["#files", "#folder"]) {
    $(id).addEventListener("change", async (e) => {
      await send([...e.target.files]);
      e.target.value = "";
    });
  }
  onDrop($("#drop"), async (dropped) => send(await droppedFiles(dropped)));
  $("#drop-files").addEventListener("click", async () => {
    await api("DELETE", `/api/drafts/${await wizard.draft()}/files`);
    await look();
  });
  $("#look").addEventListener("click", () => look());

  /** What is there now. */
  async function look() {
    const { source } = wizard.answers();
    if (source.kind === "none" || source.kind === "place" || (source.kind === "server" && !source.path.trim())) {
      wizard.found(null);
      return;
    }
    $("#look").disabled = true;
    try {
      await wizard.save();
      wizard.found(await api("GET", `/api/drafts/${await wizard.draft()}/data`));
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      $("#look").disabled = false;
    }
  }

  function show() {
    const { found, source, ...rest } = wizard.answers();
    const { thing, text } = taskOf(rest);
    for (const kind of ["upload", "server", "place"]) $(`#source-${kind}`).hidden = source.kind !== kind;
    $("#drop-files").hidden = !(source.kind === "upload" && found?.items);
    const labeled = labelsCome(wizard.answers());
    $("#gold-row").hidden = !labeled;
    $("#columns-row").hidden = !(text && found?.tables.length && source.kind !== "none");
    const box = $("#found");
    if (source.kind === "none" || !found) {
      fill(box);
      return;
    }
    if (found.error) {
      fill(box, el("p", { class: "error" }, found.error));
      return;
    }
    const named = (some) => `${some.slice(0, SHOWN).map(([name, n]) => `${name} (${count(n)})`).join(", ")}${some.length > SHOWN ? " …" : ""}`;
    fill(box,
      el("p", {}, found.items ? `${plural(found.items, thing)} here.` : `No ${thing}s here yet.`, found.faults ? ` ${plural(found.faults, "file")} of another kind will be left out and listed.` : ""),
      found.labels.length ? el("p", { class: "small" }, `Labels in ${found.tables.join(", ")}: ${named(found.labels)}`) : null,
      found.labels.length && !labeled ? el("p", { class: "small muted" }, "To bring the labels in, name the table itself.") : null,
      found.folders.length ? el("p", { class: "small" }, `Folders: ${named(found.folders)}`) : null);
  }
  return { look, show };
}

async function post(route, files) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.path || inFolder(file));
  let response;
  try {
    response = await fetch(route, { method: "POST", body: form, credentials: "same-origin" });
  } catch {
    throw offline();
  }
  return decode(response.status, await response.text());
}

/** The path below the folder that was chosen. */
function inFolder(file) {
  return file.webkitRelativePath.split("/").slice(1).join("/") || file.name;
}

/** The files of what was dropped, those in folders too, with their paths. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const out = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((done, fail) => entry.file(done, fail));
      out.push(Object.assign(file, { path: `${path}${file.name}` }));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const inner of some) await walk(inner, `${path}${entry.name}/`);
    }
  };
  if (entries.length === 1) {
    // Of one folder, what is in it: its own name says nothing of the items.
    await walk(entries[0], "");
    const own = `${entries[0].name}/`.length;
    return out.map((file) => Object.assign(file, { path: file.path.slice(own) }));
  }
  for (const entry of entries) await walk(entry, "");
  return out;
}
