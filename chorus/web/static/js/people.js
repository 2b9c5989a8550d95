/** Everybody on this server; sign-in links for those who lost their password. */
import { $, el, fill } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";

const form = $("form");

async function show() {
  const { users } = await api("GET", "/api/users");
  fill($("#users"),
    el("thead", {}, el("tr", {}, ...["Name", "Login", "", ""].map((h) => el("th", {}, h)))),
    el("tbody", {}, ...users.map((u) =>
      el("tr", {}, el("td", {}, u.name), el("td", { class: "muted" }, u.login), el("td", {}, u.admin ? "admin" : ""),
        el("td", { class: "num" }, el("button", { class: "button quiet", type: "button", onclick: () => link(u) }, "Sign-in link"))))));
}

async function link(user) {
  try {
    const { url } = await api("POST", `/api/users/${user.user_id}/signin-link`, {});
    const box = $("#link");
    box.hidden = false;
    fill(box, `For ${user.name}, once, within 24 hours: `, el("code", {}, new URL(url, location.href).href));
  } catch (error) {
    showError(form, error);
  }
}

onSubmit(form, async (values) => {
  await api("POST", "/api/users", values);
  form.reset();
  await show();
});
show().catch((error) => showError(form, error));
