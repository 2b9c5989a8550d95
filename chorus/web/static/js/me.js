/** A person's own settings. */
import { $ } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showablePassword, showError } from "./form.js";
import { _ } from "./i18n.js";

const form = $("#settings-form");
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

/** @type {?HTMLFormElement} */
const passwords = document.querySelector("#password-form");
if (passwords) {
  const { old } = passwords.elements;
  showablePassword(passwords);
  onSubmit(passwords, async (values) => {
    $("#password-saved").hidden = true;
    try {
      await api("PUT", "/api/me/password", { old: values.old, new: values.password });
    } catch (error) {
      if (error.code !== "wrong_password") throw error;
      old.setAttribute("aria-invalid", "true");
      old.focus();
      throw new Error(_("The old password is wrong."));
    }
    passwords.reset();
    // Whoever had none has one now.
    old.disabled = false;
    old.closest(".field").hidden = false;
    $("#password-saved").hidden = false;
  });
}
