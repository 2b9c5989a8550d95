/** Teams: made, renamed, dissolved; which projects each is in. */
import { $, el, fill } from "./dom.js";
import { onSubmit } from "./form.js";
import { plural } from "./format.js";

/**
 * @param {(method: string, path: string, body?: any) => Promise<void>} act which shows what has changed
 * @param {(path: string, body: any) => Promise<any>} send the same, with its error thrown
 */
export function teamsCard(act, send) {
  const form = $("#team-form");
  onSubmit(form, async ({ name }) => {
    await send("/api/teams", { name });
    form.reset();
  });

  /** @param {any[]} teams @param {Map<string, string>} names of people @param {Map<string, string>} projects names */
  function show(teams, names, projects) {
    $("#no-teams").hidden = teams.length > 0;
    fill($("#teams"), ...teams.map((team) => el("li", { class: "team", dataset: { team: team.team_id } },
      el("div", { class: "row" }, el("b", {}, team.name),
        el("span", { class: "muted small", title: team.people.map((id) => names.get(id) ?? "").join(", ") }, plural(team.people.length, "person", "people")),
        el("span", { class: "spring" }),
        el("button", { class: "button quiet", type: "button", onclick: () => rename(team) }, "Rename"),
        el("button", { class: "button quiet danger", type: "button", onclick: () => dissolve(team) }, "Dissolve")),
      el("span", { class: "tags" },
        ...team.projects.map((r) => el("span", { class: "chip-plain" }, `${r.role} in ${projects.get(r.project_id) ?? "a project"}`,
          el("button", { class: "chip-x", type: "button", "aria-label": `Take ${team.name} out of ${projects.get(r.project_id)}`, onclick: () => act("DELETE", path(r.project_id, team)) }, "×"))),
        add(team, projects)))));
  }

  function add(team, projects) {
    const inside = new Set(team.projects.map((r) => r.project_id));
    const others = [...projects].filter(([id]) => !inside.has(id));
    if (!others.length) return null;
    const choices = others.flatMap(([id, name]) => ["labeler", "supervisor"].map((role) => el("option", { value: `${role} ${id}` }, `${name}, as ${role}s`)));
    return el("select", { class: "slim", "aria-label": `Add ${team.name} to a project`, onchange: (e) => {
      const [role, id] = e.target.value.split(" ");
      if (id) act("PUT", path(id, team), { role });
    } }, el("option", { value: "" }, "+ project"), ...choices);
  }

  const path = (project, team) => `/api/projects/${project}/teams/${team.team_id}`;

  function rename(team) {
    const name = prompt("Its name", team.name)?.trim();
    if (name && name !== team.name) act("PATCH", `/api/teams/${team.team_id}`, { name });
  }

  function dissolve(team) {
    if (confirm(`Dissolve ${team.name}? Its people leave the projects in which they are by this team alone. Their votes stay.`)) act("DELETE", `/api/teams/${team.team_id}`);
  }
  return { show };
}
