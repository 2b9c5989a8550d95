/** A project's webhooks: make one, try it, see what was sent to it and how it was taken. */
import { $, boot, el, fill, thead } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { moment, plural } from "./format.js";
import { toast } from "./toast.js";
import { outcome, stateOf, typesWords } from "./webhook_words.js";

const LOOK_MS = 5_000;
const SHOWN = 20;
const { project } = boot();
const root = `/api/projects/${project.project_id}/webhooks`;
const form = $("#webhook-form");
/** Webhooks whose deliveries are open. */
const open = new Set();
let drawn = "";

async function look() {
  try {
    await show();
  } catch {
    // The next look brings it.
  }
  setTimeout(look, LOOK_MS);
}

async function show() {
  const { webhooks } = await api("GET", root);
  const sent = await Promise.all(webhooks.map((h) => (open.has(h.webhook_id) ? api("GET", `${root}/${h.webhook_id}/deliveries`) : null)));
  const state = JSON.stringify([webhooks.map((h) => [h, stateOf(h)]), sent]);
  if (state === drawn) return;
  drawn = state;
  const held = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.key;
  $("#no-webhooks").hidden = webhooks.length > 0;
  fill($("#webhooks"), ...webhooks.map((h, i) => card(h, sent[i]?.deliveries)));
  if (held) $("#webhooks").querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

function card(hook, deliveries) {
  const id = hook.webhook_id;
  const [words, tone] = stateOf(hook);
  const button = (text, onclick, more = {}) => el("button", { class: "button quiet", type: "button", "aria-label": `${text}: ${hook.url}`, dataset: { key: `${id} ${text}` }, onclick, ...more }, text);
  const active = hook.state === "active";
  return el("li", { class: "webhook stack", dataset: { webhook: id } },
    el("div", { class: "row" }, el("code", {}, hook.url), el("span", { class: "chip-plain", dataset: tone ? { tone } : {} }, words)),
    el("p", { class: "muted small" }, typesWords(hook.types), `; up to event ${hook.delivered_seq}`, hook.made_by ? `; by ${hook.made_by}` : ""),
    el("div", { class: "row" },
      button("Test", () => test(hook)),
      button(active ? "Pause" : "Resume", () => act("PATCH", id, { active: !active })),
      button(deliveries ? "Hide what was sent" : "What was sent", () => {
        if (!open.delete(id)) open.add(id);
        show().catch((error) => toast(error.message, "bad"));
      }, { "aria-expanded": String(Boolean(deliveries)) }),
      el("span", { class: "spring" }),
      button("Remove", () => remove(hook), { class: "button quiet danger" })),
    deliveries ? table(deliveries) : null);
}

function table(deliveries) {
  if (!deliveries.length) return el("p", { class: "muted" }, "Nothing yet.");
  return el("div", { class: "table-scroll" }, el("table", { class: "table" },
    thead(["When", "Sent", "Try", "Answer"]),
    el("tbody", {}, ...deliveries.slice(0, SHOWN).map((d) => el("tr", {},
      el("td", { class: "muted" }, moment(d.at)), el("td", {}, d.events ? plural(d.events, "event") : "test"), el("td", {}, d.attempt),
      el("td", {}, el("span", { class: "chip-plain", dataset: { tone: d.error ? "bad" : "good" } }, outcome(d))))))));
}

async function act(method, id, body) {
  try {
    await api(method, `${root}/${id}`, body);
    await show();
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function test(hook) {
  try {
    const found = await api("POST", `${root}/${hook.webhook_id}/test`, {});
    toast(found.ok ? `It was taken: ${outcome(found)}.` : `It was not taken: ${outcome(found)}`, found.ok ? "good" : "bad");
    open.add(hook.webhook_id);
    await show();
  } catch (error) {
    toast(error.message, "bad");
  }
}

function remove(hook) {
  if (confirm(`Remove the webhook to ${hook.url}? What has not been sent yet is not sent.`)) act("DELETE", hook.webhook_id);
}

onSubmit(form, async ({ url }) => {
  const types = [...form.elements.types.selectedOptions].map((o) => o.value);
  const made = await api("POST", root, { url, types });
  const copy = el("button", { class: "button", type: "button", onclick: async () => {
    await navigator.clipboard.writeText(made.secret);
    toast("Copied.", "good");
  } }, "Copy");
  const box = $("#made");
  box.hidden = false;
  fill(box, el("p", {}, "Its secret, by which the receiver checks what comes. Keep it now: it is not shown again."),
    el("div", { class: "secret" }, el("code", {}, made.secret), copy));
  form.reset();
  await show();
  box.scrollIntoView({ block: "nearest" });
});
look().catch((error) => showError(form, error));
