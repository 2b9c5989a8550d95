/** Says on the dashboard what nobody can get, because it is for people who cannot take it. */
import { el, fill } from "./dom.js";
import { api } from "./api.js";
import { stuckWords } from "./assignment_words.js";

const LOOK_MS = 15_000;

/** @param {HTMLElement} node @param {string} project id @param {string} thing what an item is */
export function stuckLine(node, project, thing) {
  async function look() {
    try {
      const { assignments } = await api("GET", `/api/projects/${project}/assignments`);
      const stuck = assignments.filter((a) => a.stuck);
      node.hidden = !stuck.length;
      fill(node, ...stuck.map((a) => `${stuckWords(a, thing)} `), stuck.length ? el("a", { href: `/p/${project}/settings#assigned` }, "Let others have them") : null);
    } catch {
      // The next look says it.
    }
    setTimeout(look, LOOK_MS);
  }
  look();
}
