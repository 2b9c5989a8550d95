/** A person's own settings. */
import { $ } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";

const form = $("form");
$("#everywhere").addEventListener("click", async () => {
  try {
    await api("DELETE", "/api/sessions");
    location.assign("/oidc/signed-out");
  } catch (error) {
    showError(form, error);
  }
});
onSubmit(form, async ({ language, break_minutes, motion }) => {
  $("#saved").hidden = true;
  await api("PATCH", "/api/me/preferences", { language: language || null, break_minutes, motion });
  // In the new language, if it is another one.
  if (language !== initial) location.reload();
  $("#saved").hidden = false;
});
const initial = form.elements.language.value;
