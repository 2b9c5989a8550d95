/** A person's API tokens: make one, see each once made, revoke. */
import { $, el, fill, thead } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { ago, moment } from "./format.js";
import { serverNow } from "./server_time.js";
import { toast } from "./toast.js";
import { dayFrom, endOfDay, tokenWords } from "./token_words.js";

const USUAL_DAYS = 90;

/** @param {{project_id: string, name: string}[]} projects the person's own */
export function tokensCard(projects) {
  const form = $("#token-form");
  const names = new Map(projects.map((p) => [p.project_id, p.name]));
  form.elements.project_id.append(...projects.map((p) => el("option", { value: p.project_id }, p.name)));
  const today = () => (form.elements.until.value = dayFrom(Date.now(), USUAL_DAYS));
  form.elements.until.min = dayFrom(Date.now(), 0);
  today();

  async function show() {
    const { tokens } = await api("GET", "/api/tokens");
    $("#tokens").hidden = !tokens.length;
    $("#no-tokens").hidden = tokens.length > 0;
    fill($("#tokens"),
      thead(["Name", "May", "Last used", "Ends"], { actions: true }),
      el("tbody", {}, ...tokens.map(row)));
  }

  function row(token) {
    const over = token.expires_at !== null && token.expires_at <= serverNow();
    const ends = token.expires_at === null ? "when revoked" : over ? "has ended" : moment(token.expires_at);
    return el("tr", { class: over ? "over" : "" },
      el("td", {}, token.name),
      el("td", {}, tokenWords(token, names)),
      el("td", { class: "muted" }, token.last_used_at === null ? "never" : ago(token.last_used_at)),
      el("td", {}, ends),
      el("td", { class: "num" }, el("button", {
        class: "button quiet danger", type: "button", "aria-label": `Revoke ${token.name}`, onclick: () => revoke(token),
      }, "Revoke")));
  }

  async function revoke(token) {
    if (!confirm(`Revoke ${token.name}? Programs that use it are cut off at once.`)) return;
    try {
      await api("DELETE", `/api/tokens/${token.token_id}`);
      await show();
      toast(`${token.name} is revoked.`, "good");
    } catch (error) {
      showError(form, error);
    }
  }

  onSubmit(form, async ({ name, scope, project_id, until }) => {
    const made = await api("POST", "/api/tokens", {
      name, scope, project_id: project_id || null, expires_at: endOfDay(until),
    });
    const secret = el("code", {}, made.token);
    const copy = el("button", { class: "button", type: "button", onclick: async () => {
      await navigator.clipboard.writeText(made.token);
      toast("Copied.", "good");
    } }, "Copy");
    const box = $("#made");
    box.hidden = false;
    fill(box, el("p", {}, `The token ${made.name}. Keep it now: it is not shown again.`), el("div", { class: "secret" }, secret, copy));
    form.reset();
    today();
    await show();
    box.scrollIntoView({ block: "nearest" });
  });
  show().catch((error) => showError(form, error));
}
