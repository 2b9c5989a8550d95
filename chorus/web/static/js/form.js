/** Forms that post JSON: the button waits, the server's reason shows in the form. */
import { el } from "./dom.js";
import { errorWords } from "./words.js";

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, any>) => Promise<any>} send
 */
export function onSubmit(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    form.querySelector(".error")?.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    if (button) button.disabled = true;
    try {
      await send(valuesOf(form));
    } catch (error) {
      showError(form, error);
    } finally {
      if (button) button.disabled = false;
    }
  });
}

/** Values by field name: checkboxes as booleans, numbers as numbers, of radio buttons the chosen
 * one, text trimmed (not passwords). */
export function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "radio" && !field.checked) continue;
    if (field.type === "checkbox") values[field.name] = field.checked;
    else if (field.type === "number") values[field.name] = field.valueAsNumber;
    else values[field.name] = field.type === "password" ? field.value : field.value.trim();
  }
  return values;
}

/**
 * Of `valuesOf`, those that are not what the page came with or `written` put there since: what
 * somebody else has changed meanwhile stays theirs.
 * @param {HTMLFormElement} form
 */
export function changedIn(form) {
  const changed = new Set([...form.elements].filter((field) => field.name && isChanged(field)).map((field) => field.name));
  return Object.fromEntries(Object.entries(valuesOf(form)).filter(([name]) => changed.has(name)));
}

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((o) => o.defaultSelected));
  return field.value !== field.defaultValue;
}

/** Put values into the fields of those names, as what is there now. @param {HTMLFormElement} form @param {Record<string, any>} values */
export function written(form, values) {
  for (const field of form.elements) {
    if (!(field.name in values)) continue;
    const value = values[field.name];
    if (field.type === "checkbox") field.checked = field.defaultChecked = value;
    else if (field.type === "radio") field.checked = field.defaultChecked = field.value === String(value);
    else if (field.options) for (const option of field.options) option.selected = option.defaultSelected = option.value === String(value);
    else field.value = field.defaultValue = String(value);
  }
}

/** Show why it did not work, at the end of the form; the field it names is marked. */
export function showError(form, error) {
  form.querySelector(".error")?.remove();
  const box = el("p", { class: "error", role: "alert" }, errorWords(error));
  const button = form.querySelector("[type=submit]");
  if (button) button.before(box);
  else form.append(box);
  const named = [...form.elements].find((f) => f.name && error.message.includes(f.name));
  const wrong = named ?? (error.code === "wrong_password" ? form.elements.password : null);
  if (wrong) {
    wrong.setAttribute("aria-invalid", "true");
    wrong.focus();
  }
}

/** A button inside a form group that shows a password. */
export function showablePassword(form) {
  const toggle = form.querySelector(".show-password");
  toggle?.addEventListener("change", () => {
    form.elements.password.type = toggle.checked ? "text" : "password";
  });
  form.addEventListener("reset", () => { form.elements.password.type = "password"; });
}
