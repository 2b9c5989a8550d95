/** The table of people: what each is in projects and teams, changed in place. */
import { $, el, fill, setText, thead } from "./dom.js";
import { ago } from "./format.js";
import { sayEnded } from "./open_invites.js";
import { clockIn, found } from "./people_words.js";

const HEADS = ["Name", "Login", "Teams", "Roles", "Last seen", "Their time"];
const ROLES = ["labeler", "supervisor"];

export class PeopleTable {
  /**
   * @param {{id: string, act: (method: string, path: string, body?: any) => Promise<any>,
   *   link: (user: any) => void, reset: (user: any) => void, rename: (user: any) => void, erase: (user: any) => void}} door `id`: of whoever looks
   */
  constructor(door) {
    this._door = door;
    this._people = [];
    for (const id of ["#find", "#team-filter"]) $(id).addEventListener("input", () => this._draw());
  }

  /** @param {any[]} people @param {any[]} teams @param {Map<string, string>} projects names by id */
  set(people, teams, projects) {
    this._people = people;
    this._teams = teams;
    this._projects = projects;
    const filter = $("#team-filter");
    const chosen = filter.value;
    fill(filter, el("option", { value: "" }, "all teams"), ...teams.map((t) => el("option", { value: t.team_id }, t.name)), el("option", { value: "none" }, "in no team"));
    filter.value = chosen;
    if (filter.selectedIndex < 0) filter.value = "";
    this._draw();
  }

  _draw() {
    const shown = found(this._people, $("#find").value, $("#team-filter").value);
    const held = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.key;
    setText($("#shown"), shown.length === this._people.length ? "" : `${shown.length} of ${this._people.length}`);
    fill($("#users"),
      thead(HEADS, { actions: true }),
      el("tbody", {}, ...shown.map((u) => this._row(u))));
    if (held) $("#users").querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  _row(u) {
    const admin = el("button", { class: "button quiet", type: "button", dataset: { key: `${u.user_id} admin` }, onclick: () => this._admin(u) }, u.admin ? "No admin any more" : "Make an admin");
    return el("tr", { dataset: { user: u.user_id } },
      el("td", {}, u.name, u.admin ? el("span", { class: "chip-plain" }, "admin") : null), el("td", { class: "muted" }, u.login),
      el("td", {}, this._teamsOf(u)), el("td", {}, this._rolesOf(u)),
      el("td", { class: "muted" }, u.last_seen_at === null ? "never" : ago(u.last_seen_at)),
      el("td", { class: "muted", title: u.time_zone ?? "" }, clockIn(u.time_zone)),
      el("td", { class: "num" }, el("span", { class: "row" },
        el("button", { class: "button quiet", type: "button", onclick: () => this._door.link(u) }, "Sign-in link"),
        u.user_id === this._door.id ? null : el("button", { class: "button quiet", type: "button", onclick: () => this._door.reset(u) }, "Reset password"),
        el("button", { class: "button quiet", type: "button", onclick: () => this._door.rename(u) }, "Rename"),
        el("a", { class: "button quiet", href: `/api/users/${u.user_id}/data`, download: "", title: "All that is stored about them, as JSON" }, "Their data"),
        u.user_id === this._door.id ? null : admin,
        u.user_id === this._door.id ? null : el("button", { class: "button quiet danger", type: "button", onclick: () => this._door.erase(u) }, "Erase …"))));
  }

  _admin(u) {
    const words = u.admin ? `${u.name} is no admin any more? They have to sign in again, and open invitation links for admins end.` : `Make ${u.name} an admin? They may do everything then.`;
    if (confirm(words)) this._door.act("PATCH", `/api/users/${u.user_id}`, { admin: !u.admin });
  }

  _teamsOf(u) {
    const mine = this._teams.filter((t) => u.teams.includes(t.team_id));
    const others = this._teams.filter((t) => !u.teams.includes(t.team_id));
    const path = (team) => `/api/teams/${team}/people/${u.user_id}`;
    return el("span", { class: "tags" },
      ...mine.map((t) => el("span", { class: "chip-plain" }, t.name, el("button", {
        class: "chip-x", type: "button", "aria-label": `Take ${u.name} out of ${t.name}`, onclick: () => this._door.act("DELETE", path(t.team_id)),
      }, "×"))),
      others.length ? this._add(u, `Take ${u.name} into a team`, "team", others.map((t) => [t.team_id, t.name]), (team) => this._door.act("PUT", path(team))) : null);
  }

  _rolesOf(u) {
    const name = (r) => this._projects.get(r.project_id) ?? "a project";
    const members = (r) => `/api/projects/${r.project_id}/members`;
    const change = (r, role) => role
      ? this._door.act("PUT", members(r), { user_id: u.user_id, role })
      : this._door.act("DELETE", `${members(r)}/${u.user_id}`).then(sayEnded);
    const held = u.roles.map((r) => el("li", { class: "row" },
      el("a", { href: `/p/${r.project_id}/settings#people` }, name(r)),
      el("select", {
        class: "slim", "aria-label": `${u.name} in ${name(r)}`, dataset: { key: `${u.user_id} ${r.project_id}` },
        onchange: (e) => change(r, e.target.value),
      }, ...ROLES.map((role) => el("option", { value: role, selected: role === r.role }, role + (r.by_team && role === r.role ? ", by a team" : ""))),
      r.by_team ? null : el("option", { value: "" }, "not in it"))));
    const inside = new Set(u.roles.map((r) => r.project_id));
    const others = [...this._projects].filter(([id]) => !inside.has(id));
    const add = others.length && !u.admin
      ? this._add(u, `Add ${u.name} to a project`, "project", others, (id) => this._door.act("PUT", `/api/projects/${id}/members`, { user_id: u.user_id, role: "labeler" }))
      : null;
    return el("ul", { class: "plain" }, ...held, add ? el("li", {}, add) : null);
  }

  /** A list to choose from that does it at once. */
  _add(u, label, what, options, take) {
    return el("select", { class: "slim", "aria-label": label, dataset: { key: `${u.user_id} + ${what}` }, onchange: (e) => e.target.value && take(e.target.value) },
      el("option", { value: "" }, `+ ${what}`), ...options.map(([value, text]) => el("option", { value }, text)));
  }
}
