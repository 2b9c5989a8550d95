/** Showing the people of one team alone, wherever people are listed in a project. */
import { el, fill } from "./dom.js";
import { api } from "./api.js";

const LOOK_MS = 60_000;

export class TeamFilter {
  /** @param {HTMLSelectElement} select hidden where the project's people are in no team @param {string} project id @param {() => void} changed */
  constructor(select, project, changed) {
    this._select = select;
    this._project = project;
    this._changed = changed;
    this._teams = [];
    select.addEventListener("change", changed);
    this._look();
  }

  async _look() {
    try {
      const { teams } = await api("GET", `/api/projects/${this._project}/teams`);
      if (JSON.stringify(teams) !== JSON.stringify(this._teams)) {
        this._teams = teams;
        this._draw();
        this._changed();
      }
    } catch {
      // The next look brings them.
    }
    setTimeout(() => this._look(), LOOK_MS);
  }

  _draw() {
    const chosen = this._select.value;
    const some = this._teams.filter((t) => t.people.length);
    fill(this._select, el("option", { value: "" }, "all teams"), ...some.map((t) => el("option", { value: t.team_id }, t.name)));
    this._select.value = chosen;
    if (this._select.selectedIndex < 0) this._select.value = "";
    this._select.hidden = !some.length;
  }

  /** Those of the chosen team; all if none is. @param {{user_id: string}[]} people */
  of(people) {
    const team = this._teams.find((t) => t.team_id === this._select.value);
    return team ? people.filter((p) => team.people.includes(p.user_id)) : people;
  }
}
