/** Make a project, then go on to its data. */
import { $ } from "./dom.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";

onSubmit($("form"), async ({ classes, target, ...rest }) => {
  const names = classes.split("\n").map((line) => line.trim()).filter(Boolean);
  const project = await api("POST", "/api/projects", { ...rest, classes: names, target: target / 100 });
  location.assign(`/p/${project.project_id}/settings#data`);
});
