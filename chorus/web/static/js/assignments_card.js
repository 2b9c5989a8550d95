/** Items for some people: the list, and how one is made. */
import { $, el, fill } from "./dom.js";
import { api } from "./api.js";
import { onSubmit } from "./form.js";
import { stateWords, stuckWords, whatWords, whoWords } from "./assignment_words.js";
import { toast } from "./toast.js";

const LOOK_MS = 15_000;
const SOON_MS = 1_000;

/** @param {string} root of the project's REST routes @param {string} thing what an item is */
export function assignmentsCard(root, thing) {
  const form = $("#assignment-form");
  let timer = 0;
  let drawn = "";

  async function look() {
    clearTimeout(timer);
    let wait = LOOK_MS;
    try {
      const { assignments } = await api("GET", `${root}/assignments`);
      if (assignments.some((a) => a.state !== "on")) wait = SOON_MS;
      draw(assignments);
    } catch {
      // The next look brings them.
    }
    timer = setTimeout(look, wait);
  }

  function draw(assignments) {
    const state = JSON.stringify(assignments);
    if (state === drawn) return;
    drawn = state;
    $("#no-assignments").hidden = assignments.length > 0;
    fill($("#assignments"), ...assignments.map((a) => el("li", { class: "team" },
      el("div", { class: "row" }, el("span", {}, el("b", {}, whoWords(a)), ` ${a.only ? "alone" : "first"}: ${whatWords(a, thing)}`),
        el("span", { class: "muted small" }, stateWords(a)), el("span", { class: "spring" }),
        el("button", { class: "button quiet danger", type: "button", disabled: a.state === "ending", "aria-label": `End: let everybody have what is ${whoWords(a)}'s`, onclick: () => drop(a) }, "End")),
      a.stuck ? el("p", { class: "error small" }, stuckWords(a, thing)) : null)));
  }

  async function drop(a) {
    try {
      await api("DELETE", `${root}/assignments/${a.number}`);
    } catch (error) {
      toast(error.message, "bad");
    }
    await look();
  }

  /** The people and teams to choose from. */
  async function people() {
    const [{ members }, { teams }] = await Promise.all([api("GET", `${root}/members`), api("GET", `${root}/teams`)]);
    const option = (kind, id, name) => el("option", { value: `${kind} ${id}` }, name);
    fill(form.elements.who,
      el("optgroup", { label: "People" }, ...members.map((m) => option("people", m.user_id, m.name))),
      el("optgroup", { label: "Teams" }, ...teams.filter((t) => t.role).map((t) => option("teams", t.team_id, t.name))));
  }
  $("#assignment-new").addEventListener("toggle", () => people().catch((error) => toast(error.message, "bad")));

  onSubmit(form, async ({ text, guess, share, mode, later }) => {
    const chosen = [...form.elements.who.selectedOptions].map((o) => o.value.split(" "));
    const of = (kind) => chosen.filter(([k]) => k === kind).map(([, id]) => id);
    await api("POST", `${root}/assignments`, {
      people: of("people"), teams: of("teams"), only: mode === "only", text, share: share / 100,
      ...(guess ? { guess } : {}), later: later && !guess,
    });
    form.reset();
    $("#assignment-new").open = false;
    await look();
  });
  look();
}
