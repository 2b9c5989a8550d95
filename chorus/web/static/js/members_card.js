/** A project's people: roles changed in place, teams, links to invite by. */
import { $, el, fill, thead } from "./dom.js";
import { acting } from "./acting.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";
import { ago, plural } from "./format.js";
import { openInvites, sayEnded } from "./open_invites.js";
import { clockIn, teamsByPerson } from "./people_words.js";

/** @param {string} root of the project's REST routes @param {any} project @param {boolean} admin */
export function membersCard(root, project, admin) {
  const invites = openInvites(`${root}/invites`, false);

  async function show() {
    const [{ members }, { teams }] = await Promise.all([api("GET", `${root}/members`), api("GET", `${root}/teams`), invites.show()]);
    const of = teamsByPerson(teams);
    const heads = ["Name", "Login", "Teams", "Role", "Last seen", "Their time"];
    fill($("#members"), ...(members.length ? [thead(heads, { actions: true }), el("tbody", {}, ...members.map((m) => row(m, of.get(m.user_id) ?? [])))]
      : [el("tbody", {}, el("tr", {}, el("td", { class: "muted" }, "Nobody yet: make an invitation link.")))]));
    showTeams(teams);
  }

  const act = acting(show);

  function row(m, teams) {
    const role = admin
      ? el("select", { class: "slim", "aria-label": `What ${m.name} is`, onchange: (e) => act("PUT", `${root}/members`, { user_id: m.user_id, role: e.target.value }) },
        ...["labeler", "supervisor"].map((one) => el("option", { value: one, selected: one === m.role }, one)))
      : m.role;
    return el("tr", { dataset: { user: m.user_id } },
      el("td", {}, m.name), el("td", { class: "muted" }, m.login), el("td", {}, teams.join(", ")),
      el("td", {}, role, m.by_team ? el("span", { class: "muted small" }, " by a team") : null),
      el("td", { class: "muted" }, m.last_seen_at === null ? "never" : ago(m.last_seen_at)),
      el("td", { class: "muted", title: m.time_zone ?? "" }, clockIn(m.time_zone)),
      el("td", { class: "num" }, m.by_team ? null : el("button", { class: "button quiet danger", type: "button", onclick: () => remove(m) }, "Remove")));
  }

  async function remove(member) {
    const links = "Open invitation links end, so that they cannot come back by one; those for somebody else by name go on.";
    if (!confirm(`Remove ${member.name} from this project? Their votes stay. ${links}`)) return;
    sayEnded(await act("DELETE", `${root}/members/${member.user_id}`));
  }

  function showTeams(teams) {
    const inside = teams.filter((t) => t.role);
    const others = teams.filter((t) => !t.role);
    const roles = admin ? ["labeler", "supervisor"] : ["labeler"];
    $("#project-teams").hidden = !teams.length;
    fill($("#project-teams"), el("span", { class: "muted" }, "Teams:"),
      ...inside.map((t) => el("span", { class: "chip-plain" }, `${t.name} (${plural(t.people.length, t.role)})`,
        admin || t.role === "labeler" ? el("button", { class: "chip-x", type: "button", "aria-label": `Take ${t.name} out`, onclick: () => act("DELETE", `${root}/teams/${t.team_id}`) }, "×") : null)),
      others.length ? el("select", { class: "slim", "aria-label": "Add a team", onchange: (e) => {
        const [role, id] = e.target.value.split(" ");
        if (id) act("PUT", `${root}/teams/${id}`, { role });
      } }, el("option", { value: "" }, "+ team"), ...others.flatMap((t) => roles.map((role) => el("option", { value: `${role} ${t.team_id}` }, `${t.name}, as ${role}s`)))) : null);
  }

  onSubmit($("#invite-form"), async ({ role }) => {
    const { url } = await api("POST", "/api/invites", { role, project_id: project.project_id });
    const box = $("#invitation");
    box.hidden = false;
    fill(box, "Good for one person, seven days: ", el("code", {}, new URL(url, location.href).href));
    await invites.show();
  });
  return { show };
}
