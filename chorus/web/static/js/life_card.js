/** A project's life in its settings: pause, archive, clone, delete; and what was changed by whom. */
import { $, el, fill, setText } from "./dom.js";
import { api } from "./api.js";
import { changeWords } from "./change_words.js";
import { onSubmit } from "./form.js";
import { toast } from "./toast.js";

/**
 * @param {string} root of the project's REST routes
 * @param {() => any} project as it is now
 * @param {(project: any) => void} changed
 */
export function lifeCard(root, project, changed) {
  const card = $("#life-card");
  const toggle = $("#toggle-pause");
  const archive = document.querySelector("#toggle-archive");

  function show() {
    const { state } = project();
    $("#archived").hidden = state !== "archived";
    setText($("#state-now"), { running: "Running: people get pages.", paused: "Paused: nobody gets a page; what is in hand still counts.", archived: "Archived: out of labelers' lists, and only read." }[state] ?? state);
    toggle.hidden = state === "archived";
    setText(toggle, state === "paused" ? "Resume" : "Pause");
    if (archive) setText(archive, state === "archived" ? "Bring it back, paused" : "Archive");
    const gone = card.querySelector("#delete-form");
    if (gone) gone.hidden = state !== "archived";
    const hint = card.querySelector("#delete-hint");
    if (hint) hint.hidden = state === "archived";
  }
  async function setState(state) {
    try {
      changed(await api("PATCH", root, { state }));
      show();
      await history();
    } catch (error) {
      toast(error.message, "bad");
    }
  }
  toggle.addEventListener("click", () => setState(project().state === "paused" ? "running" : "paused"));
  archive?.addEventListener("click", () => setState(project().state === "archived" ? "paused" : "archived"));

  const clone = card.querySelector("#clone-form");
  if (clone) {
    onSubmit(clone, async ({ clone_name: name, items }) => {
      const made = await api("POST", `${root}/clone`, { name, items });
      location.assign(`/p/${made.project_id}/settings`);
    });
    onSubmit($("#delete-form"), async ({ typed }) => {
      await api("DELETE", root, { name: typed });
      location.assign("/");
    });
  }

  let next = 0;
  async function history(more = false) {
    const found = await api("GET", `${root}/changes?limit=20${more ? `&before=${next}` : ""}`);
    const rows = found.changes.map((c) => el("tr", {},
      el("td", { class: "muted" }, el("time", { dateTime: new Date(c.at).toISOString() }, new Date(c.at).toLocaleString())),
      el("td", {}, c.by),
      el("td", {}, ...changeWords(c.change).map((words) => el("div", {}, words)))));
    const body = $("#history tbody");
    if (more) body.append(...rows);
    else fill(body, ...rows);
    next = found.next ?? 0;
    $("#history-more").hidden = !next;
  }
  $("#history-more").addEventListener("click", () => history(true).catch((e) => toast(e.message, "bad")));
  show();
  history().catch((e) => toast(e.message, "bad"));
  return { show, history };
}
