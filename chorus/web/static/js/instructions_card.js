/** The instructions in a project's settings: written, shown as labelers see them, read by whom. */
import { $, fill } from "./dom.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";
import { proseEditor, readersLine, templateOf } from "./prose_editor.js";
import { taskOf } from "./task.js";
import { toast } from "./toast.js";

const LOOK_MS = 5_000;
const OVER_THEIRS = "Somebody else has changed the instructions since this page came. Put yours in place of theirs? If not, yours stay in the field and theirs in force; another tab of this page shows them.";

/**
 * @param {string} root of the project's REST routes
 * @param {() => any} project as it is now
 * @param {(project: any) => void} changed
 */
export function instructionsCard(root, project, changed) {
  const form = $("#instructions-form");
  proseEditor(form, {
    preview: `${root}/instructions/preview`,
    pictures: `${root}/pictures`,
    template: () => templateOf(project().name, project().classes, taskOf(project()).thing),
  });

  let known = project().instructions;

  /** A text is saved whole: what somebody else has written meanwhile would be gone without a word. */
  async function mayReplace(mine) {
    const theirs = (await api("GET", root)).instructions;
    return theirs === known || theirs === mine || confirm(OVER_THEIRS);
  }

  async function readers() {
    if (document.hidden) return;
    fill($("#readers"), readersLine(await api("GET", `${root}/instructions`)));
  }
  const look = () => readers().catch(() => {});

  onSubmit(form, async ({ instructions, quiet }) => {
    if (!(await mayReplace(instructions))) return;
    const before = project().instructions_rev;
    changed(await api("PATCH", root, { instructions, quiet }));
    known = project().instructions;
    const asked = project().instructions_rev > before;
    toast(asked ? "Saved. Labelers are told, and confirm before they go on." : "Saved.", "good");
    form.elements.quiet.checked = false;
    await look();
  });
  look();
  setInterval(look, LOOK_MS);
}
