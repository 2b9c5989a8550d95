/** Make a project, then go on to its data. */
import { $, setText } from "./dom.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";
import { taskOf } from "./task.js";

const form = $("form");

/** What is asked, and in which words, follows the task type. */
function follow() {
  const task = taskOf({ task_type: form.elements.task_type.value });
  $("#set-rules").hidden = !task.multi;
  $("#none-hint").hidden = !task.multi;
  for (const node of form.querySelectorAll("[data-thing]")) setText(node, task.thing);
  form.elements.classes.placeholder = task.text ? "positive\nnegative" : "cat\ndog";
}
form.addEventListener("change", follow);
follow();

onSubmit(form, async ({ classes, target, set_rule, ...rest }) => {
  const task = taskOf(rest);
  const names = classes.split("\n").map((line) => line.trim()).filter(Boolean);
  const project = await api("POST", "/api/projects", {
    ...rest,
    classes: names,
    target: target / 100,
    ...(task.multi ? { set_rule } : {}),
    // Neighbours among texts are about the same thing and need not be of the same class.
    ...(task.text ? { cluster: false } : {}),
  });
  location.assign(`/p/${project.project_id}/settings#data`);
});
