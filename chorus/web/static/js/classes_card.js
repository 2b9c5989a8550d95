/** The classes of a running project: rename, recolour, keys, and more of them. */
import { $, el, fill, setText } from "./dom.js";
import { api } from "./api.js";
import { classRows } from "./class_rows.js";
import { missingGroups, parseClasses } from "./class_tree.js";
import { onSubmit } from "./form.js";
import { plural } from "./format.js";
import { toast } from "./toast.js";
import { uuid } from "./ids.js";

const LOOK_MS = 500;

/**
 * @param {string} root of the project's REST routes
 * @param {any} project
 * @param {(project: any) => void} changed
 */
export function classesCard(root, project, changed) {
  const form = $("#class-form");
  const text = form.elements.list;
  const list = $("#classes");

  function take(next) {
    project = next;
    show();
    changed(project);
  }

  function show() {
    classRows(list, project.classes, async (index, change) => {
      try {
        take(await api("PATCH", `${root}/classes/${index}`, change));
        toast("Changed, for everybody who is here.", "good");
      } catch (error) {
        toast(error.message, "bad");
        show(); // as it was
      }
    });
    preview();
  }

  function preview() {
    const known = new Set(project.classes.map((c) => c.name));
    const given = parseClasses(text.value).filter((c) => !known.has(c.name));
    setText($("#class-count"), given.length ? `${plural(given.length, "new class", "new classes")}: ${given.slice(0, 6).map((c) => c.name).join(", ")}${given.length > 6 ? " …" : ""}` : "");
    $("#class-groups").hidden = !missingGroups([...known, ...given.map((c) => c.name)]).length;
    return given;
  }
  text.addEventListener("input", preview);
  $("#class-groups").addEventListener("click", () => {
    const names = [...project.classes.map((c) => c.name), ...parseClasses(text.value).map((c) => c.name)];
    text.value = [...missingGroups(names), ...parseClasses(text.value).map((c) => c.name)].join("\n");
    preview();
  });
  $("#class-found").addEventListener("click", async () => {
    try {
      const { folders, labels } = await api("GET", `${root}/classes/found`);
      const names = [...labels, ...folders].map((f) => f.name);
      if (!names.length) toast("The data brings no labels that are not classes already.", "info");
      else text.value = [...new Set([...text.value.split("\n").filter((line) => line.trim()), ...names])].join("\n");
      preview();
    } catch (error) {
      toast(error.message, "bad");
    }
  });

  onSubmit(form, async () => {
    const given = preview();
    if (!given.length) throw new Error("Write at least one class that is not there yet.");
    const then = form.elements.then.value;
    const whole = { start_over: "All labels and votes so far will be set aside.", start_over_preset: "All items will be asked again, with their labels filled in." }[then];
    if (whole && !confirm(`${whole} Go on?`)) return;
    take(await api("POST", `${root}/classes`, { classes: given, then }));
    text.value = "";
    form.elements.then.value = "go_on";
    preview();
    if (whole) await follow();
  });

  /** A start over to its end, with what takes it back. */
  async function follow() {
    const box = $("#start-over");
    box.hidden = false;
    let now = await api("GET", `${root}/start-over`);
    while (now.running) {
      setText(box, `Starting over: ${plural(now.done, "item")} so far. The project is paused meanwhile.`);
      await new Promise((go) => setTimeout(go, LOOK_MS));
      now = await api("GET", `${root}/start-over`);
    }
    if (!now.bulk_id) {
      box.hidden = true;
      return;
    }
    fill(box, `Started over: ${plural(now.done, "item")} set aside. `,
      el("button", { type: "button", class: "button", onclick: () => undo(now.bulk_id) }, "Take it back"));
  }
  async function undo(bulk_id) {
    const box = $("#start-over");
    try {
      let bulk = await api("POST", `${root}/bulks`, { bulk_id: uuid(), undoes: bulk_id });
      while (bulk.state === "running") {
        await new Promise((go) => setTimeout(go, LOOK_MS));
        bulk = await api("GET", `${root}/bulks/${bulk.bulk_id}`);
      }
      setText(box, `Taken back: ${plural(bulk.done, "item")} as before.`);
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  show();
  follow().catch(() => {});
}
