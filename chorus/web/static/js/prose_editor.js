/** Markdown with a preview by its side, pictures, and a template with the questions to answer. */
import { $, el, setText } from "./dom.js";
import { api, decode, offline } from "./api.js";
import { toast } from "./toast.js";

const WAIT_MS = 300;
const EXAMPLES = 12;

/** What whoever labels needs to know, as questions. @param {{name: string}[]} classes */
export function templateOf(name, classes, thing) {
  const parts = classes.slice(0, EXAMPLES).map((c) => `### ${c.name}\n\nWhat belongs here, what looks like it and does not? Add a picture of each.\n`);
  return [
    `## What it is for\n\nIn one sentence: who will use the labels of ${name || "this project"}, and for what?\n`,
    `## How to decide\n\nWhat do you look at first? What does not matter (background, quality, size)?\n`,
    ...parts,
    `## Hard cases\n\n- Two classes fit: which one wins?\n- Only a part of it is to be seen: from how much on does it count?\n- Nothing fits: what then?\n`,
    `## Skip or flag\n\nSkip a ${thing} when you cannot tell. Flag it when something is wrong with it. Never guess.\n`,
    "## Questions\n\nWhom to ask, and [where more is written](https://example.org).\n",
  ].join("\n");
}

/**
 * @param {HTMLElement} root with a textarea, `.prose-preview`, `.prose-template`, and maybe
 *   `.prose-picture` (a file input)
 * @param {{preview: string, pictures: string | (() => Promise<string>), template: () => string}} how `preview`, `pictures`:
 *   routes
 */
export function proseEditor(root, { preview, pictures, template }) {
  const text = $("textarea", root);
  const shown = $(".prose-preview", root);
  let timer = 0;
  let asked = 0;

  async function show() {
    const turn = (asked += 1);
    if (!text.value.trim()) {
      setText(shown, "Nothing yet. The template has the questions that labelers will ask.");
      return;
    }
    try {
      const { html } = await api("POST", preview, { text: text.value });
      // Sanitised by the server: raw HTML in the Markdown is shown as text there.
      if (turn === asked) shown.innerHTML = html;
    } catch {
      // The text itself is there; the next change tries again.
    }
  }
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, WAIT_MS);
  });
  $(".prose-template", root).addEventListener("click", () => {
    text.value = `${text.value.trimEnd()}${text.value.trim() ? "\n\n" : ""}${template()}`;
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  });

  const picker = root.querySelector(".prose-picture");
  async function add(files) {
    for (const file of files) {
      if (!file.type.startsWith("image/")) continue;
      try {
        const { url } = await upload(typeof pictures === "function" ? await pictures() : pictures, file);
        insert(`![${file.name.replace(/\.[^.]*$/, "").replace(/[[\]]/g, "")}](${url})\n`);
      } catch (error) {
        toast(error.message, "bad");
      }
    }
  }
  function insert(words) {
    const at = text.selectionStart ?? text.value.length;
    text.setRangeText(words, at, text.selectionEnd ?? at, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (picker && pictures) {
    picker.addEventListener("change", async () => {
      await add([...picker.files]);
      picker.value = "";
    });
    text.addEventListener("paste", (e) => {
      const files = [...(e.clipboardData?.files ?? [])];
      if (!files.length) return;
      e.preventDefault();
      add(files);
    });
    text.addEventListener("drop", (e) => {
      if (!e.dataTransfer?.files.length) return;
      e.preventDefault();
      add([...e.dataTransfer.files]);
    });
  }
  show();
  return { show };
}

async function upload(route, file) {
  let response;
  try {
    response = await fetch(route, { method: "POST", body: file, credentials: "same-origin" });
  } catch {
    throw offline();
  }
  return decode(response.status, await response.text());
}

/** Names of those who have and have not read the newest revision, as an element. */
export function readersLine({ revision, people }) {
  const asked = people.filter((p) => p.role === "labeler");
  if (!revision) return el("p", { class: "small muted" }, "Nobody has been asked to read anything: the instructions are those from the beginning.");
  const done = asked.filter((p) => p.revision >= revision);
  const open = asked.filter((p) => p.revision < revision);
  const names = (some) => some.map((p) => p.name).join(", ");
  return el("div", { class: "small" },
    el("p", {}, `Revision ${revision}: read by ${done.length} of ${asked.length}.`),
    done.length ? el("p", { class: "muted" }, `Read by ${names(done)}.`) : null,
    open.length ? el("p", {}, `Not yet: ${names(open)}.`) : null);
}
