/** Everybody on this server; sign-in links for those who lost their password. */
import { $, el, fill } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { ago } from "./format.js";
import { inviteList } from "./invite_list.js";

const form = $("#add-person");
let names = new Map();

async function show() {
  const { users } = await api("GET", "/api/users");
  fill($("#users"),
    el("thead", {}, el("tr", {}, ...["Name", "Login", "Roles", "Last seen"].map((h) => el("th", { scope: "col" }, h)), el("th", {}, el("span", { class: "visually-hidden" }, "Actions")))),
    el("tbody", {}, ...users.map((u) =>
      el("tr", {}, el("td", {}, u.name), el("td", { class: "muted" }, u.login), el("td", {}, rolesOf(u)), el("td", { class: "muted" }, u.last_seen_at === null ? "never" : ago(u.last_seen_at)),
        el("td", { class: "num" }, el("button", { class: "button quiet", type: "button", onclick: () => link(u) }, "Sign-in link"))))));
}

function rolesOf(user) {
  const held = user.roles.map((r) => el("li", {}, `${r.role} in `, el("a", { href: `/p/${r.project_id}/settings` }, names.get(r.project_id) ?? "a project")));
  return el("ul", { class: "plain" }, user.admin ? el("li", {}, "admin") : null, ...held);
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
async function start() {
  const { projects } = await api("GET", "/api/projects");
  names = new Map(projects.map((p) => [p.project_id, p.name]));
  inviteList(projects, show);
  await show();
}
start().catch((error) => showError(form, error));
