/** Inviting many at once: check the list, see what each line does, make the links, take them along. */
import { $, el, fill, thead } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showError, valuesOf } from "./form.js";
import { plural } from "./format.js";
import { toast } from "./toast.js";
import { doesWords, linksCsv } from "./invite_words.js";

/** @param {{project_id: string, name: string}[]} projects to choose from @param {() => any} done when people joined */
export function inviteList(projects, done) {
  const form = $("#invite-list");
  const box = $("#list-result");
  form.elements.project_id.append(...projects.map((p) => el("option", { value: p.project_id }, p.name)));
  $("#list-project-field").hidden = projects.length < 2;

  $("#list-file").addEventListener("change", async ({ target }) => {
    if (!target.files.length) return;
    form.elements.text.value = await target.files[0].text();
    target.value = "";
    form.requestSubmit();
  });
  form.addEventListener("input", () => (box.hidden = true));

  const send = (dry_run) => {
    const values = valuesOf(form);
    return api("POST", "/api/invites/list", { ...values, project_id: values.project_id || null, dry_run });
  };

  function table(people, made) {
    const heads = ["Line", "Login", "Name", "Role", "Project", made ? "Link" : ""];
    return el("div", { class: "table-scroll" }, el("table", { class: "table" },
      thead(heads),
      el("tbody", {}, ...people.map((p) => el("tr", {},
        el("td", { class: "muted" }, p.line), el("td", {}, p.login), el("td", {}, p.name), el("td", {}, p.role), el("td", {}, p.project),
        el("td", {}, p.url ? el("code", { class: "small" }, p.url) : doesWords(p)))))));
  }

  function show({ people, faults, done: made }) {
    box.hidden = false;
    if (faults.length) {
      fill(box, el("p", { class: "error" }, `${plural(faults.length, "line")} cannot be read, so nothing is done:`),
        el("ul", {}, ...faults.map((f) => el("li", {}, `Line ${f.line}: ${f.message}`))));
      return;
    }
    const links = people.filter((p) => p.does === "invite").length;
    if (made) {
      fill(box, el("p", { class: "good" }, links ? `${plural(links, "link")}, each for one person. They are not shown again.` : "Done."),
        table(people, true), links ? takeAlong(people) : null);
      return;
    }
    const make = el("button", { class: "button primary", type: "button", onclick: async () => {
      make.disabled = true;
      try {
        show(await send(false));
        await done();
      } catch (error) {
        make.disabled = false;
        showError(form, error);
      }
    } }, links ? `Make ${plural(links, "link")}` : "Do it");
    fill(box, table(people, false), el("div", {}, make));
    make.focus();
  }

  function takeAlong(people) {
    const csv = linksCsv(people);
    const copy = async () => {
      await navigator.clipboard.writeText(csv);
      toast("Copied.", "good");
    };
    const address = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    return el("div", { class: "row" },
      el("button", { class: "button", type: "button", onclick: copy }, "Copy all"),
      el("a", { class: "button", href: address, download: "invitations.csv" }, "Download as CSV"));
  }

  onSubmit(form, async () => show(await send(true)));
}
