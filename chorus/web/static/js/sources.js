/** Data sources: the list with what was read last, and how one is added. */
import { $, el, fill, setText } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError } from "./form.js";
import { ago } from "./format.js";
import { SourceFields, choices, tell } from "./source_fields.js";

const LOOK_MS = 1_000;
const IDLE_MS = 15_000;
const SHOWN = 100;
const LOST = {
  changed: "have changed there since they came in",
  gone: "are no longer there",
  faulty: "could not be taken in",
};

/** @param {string} root of the project's REST routes @param {boolean} admin @param {boolean} text */
export function sourcesCard(root, admin, text) {
  const list = $("#source-list");
  let timer = 0;
  let drawn = "";

  async function look() {
    clearTimeout(timer);
    let wait = IDLE_MS;
    try {
      const { sources } = await api("GET", `${root}/sources`);
      if (sources.some((s) => s.last?.state === "running")) wait = LOOK_MS;
      draw(sources);
    } catch (error) {
      if (!drawn) fill(list, el("div", { role: "group" }, el("p", { class: "error", role: "alert" }, error.message)));
    }
    timer = setTimeout(look, wait);
  }

  /** Only what has changed is drawn: somebody may be reading, or on a button. */
  function draw(sources) {
    const state = JSON.stringify(sources);
    if (state === drawn) return;
    drawn = state;
    const open = new Set([...list.querySelectorAll("details[open]")].map((d) => d.dataset.key));
    const held = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.key;
    fill(list, ...(sources.length ? sources.map(card)
      : [el("p", { class: "muted" }, "None yet. What you upload needs none.")]));
    for (const part of list.querySelectorAll("details")) part.open = open.has(part.dataset.key);
    if (held) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  function card(source) {
    const running = source.last?.state === "running";
    const said = el("p", { class: "small", role: "status" });
    const run = (name, work) => el("button", {
      class: "button quiet", type: "button", dataset: { key: `${source.source_id} ${name}` },
      onclick: async (e) => {
        e.target.disabled = true;
        said.className = "small";
        setText(said, "");
        try {
          await work(said);
          await look();
        } catch (error) {
          said.className = "error";
          setText(said, error.message);
        } finally {
          e.target.disabled = false;
        }
      },
    }, name);
    const path = `${root}/sources/${source.source_id}`;
    return el("article", { class: "source", dataset: { source: source.source_id } },
      el("div", { class: "row" },
        el("h3", { class: "spring" }, source.name),
        running
          ? run("Cancel", () => api("DELETE", `${path}/refresh`))
          : run("Refresh", () => api("POST", `${path}/refresh`)),
        admin && run("Test", async (said) => tell(said, await api("POST", `${path}/test`))),
        admin && run("Remove", async () => {
          if (confirm(`Remove ${source.name}? What came in from it stays.`)) await api("DELETE", path);
        })),
      el("p", { class: "small muted source-facts" },
        el("code", {}, source.url), source.endpoint ? ` at ${source.endpoint}` : "", " · ",
        text || source.mode === "copy" ? "copied in" : "shown from there", " · ",
        source.has_credentials ? "with credentials" : "without credentials"),
      admin && el("label", { class: "row small" }, "Read it", el("select", {
        class: "source-every", dataset: { key: `${source.source_id} every` },
        onchange: async (e) => {
          try {
            await api("PATCH", path, { every_minutes: Number(e.target.value) || null });
          } catch (error) {
            setText(said, error.message);
          }
          look();
        },
      }, ...choices(source.every_minutes))),
      running && el("progress", { max: 1, value: source.last.progress, "aria-label": `Reading ${source.name}` }),
      el("p", { class: source.last?.state === "failed" ? "error" : "" }, words(source)),
      ...Object.keys(LOST).filter((state) => source.objects[state]).map((state) => files(path, source, state)),
      said);
  }

  function files(path, source, state) {
    const body = el("div", { class: "faults" });
    const count = source.objects[state];
    return el("details", {
      dataset: { key: `${source.source_id} ${state}` },
      ontoggle: async (e) => {
        if (!e.target.open || body.childElementCount) return;
        const { objects } = await api("GET", `${path}/objects?state=${state}&limit=${SHOWN}`);
        fill(body, el("table", { class: "table" }, el("tbody", {}, ...objects.map((o) =>
          el("tr", {}, el("td", {}, o.name), el("td", {}, o.reason ?? ""))))),
          count > objects.length ? el("p", { class: "muted" }, `and ${count - objects.length} more`) : null);
      },
    }, el("summary", { class: "small" }, `${count} ${LOST[state]}`), body);
  }

  // -- a new one

  const form = document.querySelector("#source-form");
  if (form) {
    const place = new SourceFields(form);
    const wanted = () => ({ ...place.place(), ...(place.kind === "file" ? {} : { credentials: place.credentials() }) });
    const said = $("#source-said");
    $("#source-test").addEventListener("click", async (e) => {
      if (!form.reportValidity()) return;
      form.querySelector(".error:not(#source-said)")?.remove();
      said.hidden = false;
      said.className = "muted";
      setText(said, "Looking …");
      e.target.disabled = true;
      try {
        tell(said, await api("POST", `${root}/sources/test`, wanted()));
      } catch (error) {
        said.hidden = true;
        showError(form, error);
      } finally {
        e.target.disabled = false;
      }
    });
    onSubmit(form, async () => {
      const source = await api("POST", `${root}/sources`, wanted());
      form.reset();
      place.reset();
      said.hidden = true;
      $("#source-new").open = false;
      // One with a schedule begins by itself.
      if (source.every_minutes === null) await api("POST", `${root}/sources/${source.source_id}/refresh`);
      await look();
    });
  }
  look();
}

function words(source) {
  const last = source.last;
  const next = source.next_at && last?.state !== "running" ? ` Next ${clock(source.next_at)}.` : "";
  if (!last) return `Not read yet.${next}`;
  if (last.state === "running") {
    if (last.phase === "listing") return `Looking what is there: ${last.listed} files so far.`;
    if (last.phase === "reading") return `Reading ${last.done} of ${last.total} new files, ${last.added} added.`;
    return "Waiting for other sources.";
  }
  const found = [
    `${last.added} added`, last.duplicates && `${last.duplicates} known already`, last.faulty && `${last.faulty} faulty`,
    last.changed && `${last.changed} found changed`, last.gone && `${last.gone} found gone`,
    last.others && `${last.others} other files left alone`,
  ].filter(Boolean).join(", ");
  const held = source.objects.in ?? 0;
  const when = ago(last.finished_at ?? last.started_at);
  if (last.state === "failed") return `Last read ${when}: it failed. ${sentence(last.error)} (${found}.)${next}`;
  if (last.state === "cancelled") return `Last read ${when}: cancelled (${found}). The next refresh goes on from there.${next}`;
  return `Last read ${when}: ${found}. ${held} of its files are here.${next}`;
}

function sentence(text) {
  const words = text ?? "";
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

function clock(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
