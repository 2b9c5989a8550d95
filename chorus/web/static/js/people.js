/** Everybody on this server: roles, teams, sign-in links for those who lost their password. */
import { $, boot, el, fill, setText } from "./dom.js";
import { acting } from "./acting.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { inviteList } from "./invite_list.js";
import { openInvites } from "./open_invites.js";
import { PeopleTable } from "./people_table.js";
import { teamsCard } from "./teams_card.js";

const form = $("#add-person");
const invites = openInvites("/api/server/invites", true);
let projects = new Map();

async function show() {
  const [{ users }, { teams }] = await Promise.all([api("GET", "/api/users"), api("GET", "/api/teams"), invites.show()]);
  table.set(users, teams, projects);
  cards.show(teams, new Map(users.map((u) => [u.user_id, u.name])), projects);
}

const act = acting(show);

const eraseDialog = /** @type {HTMLDialogElement} */ ($("#erase"));
const eraseForm = /** @type {HTMLFormElement} */ ($("#erase-form"));
let leaving = null;

function erase(user) {
  leaving = user;
  eraseForm.reset();
  setText($("#erase-title"), `Erase ${user.name}?`);
  eraseForm.elements.login.placeholder = `Type their login: ${user.login}`;
  eraseDialog.showModal();
}
$("#erase-cancel").addEventListener("click", () => eraseDialog.close());
onSubmit(eraseForm, async ({ login }) => {
  const { pseudonym, exports } = await api("POST", `/api/users/${leaving.user_id}/erase`, { login });
  eraseDialog.close();
  await show();
  const files = exports.length ? ` ${exports.length} exports made before have their login in them: see each project's Data page.` : "";
  const box = $("#link");
  box.hidden = false;
  setText(box, `${leaving.name} is ${pseudonym} from here on.${files}`);
});

const table = new PeopleTable({
  id: boot().user.user_id, act, link, reset, erase,
  rename: (user) => {
    const name = prompt("Their name", user.name)?.trim();
    if (name && name !== user.name) act("PATCH", `/api/users/${user.user_id}`, { name });
  },
});
const cards = teamsCard(act, async (path, body) => {
  await api("POST", path, body);
  await show();
});

function link(user) {
  linked(user, "POST", "signin-link");
}

function reset(user) {
  if (confirm(`Take ${user.name}'s password away? They are signed out everywhere, and come in by a link to choose another one.`)) linked(user, "DELETE", "password");
}

async function linked(user, method, what) {
  try {
    const { url } = await api(method, `/api/users/${user.user_id}/${what}`);
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
  const found = await api("GET", "/api/projects");
  projects = new Map(found.projects.map((p) => [p.project_id, p.name]));
  inviteList(found.projects, show);
  await show();
}
start().catch((error) => showError(form, error));
