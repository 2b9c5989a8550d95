/** Short messages that pass, also read aloud by screen readers. */
import { el } from "./dom.js";

const SHOWN_MS = 5_000;
const MOST = 3;

let box = null;

/** @param {string} text @param {"info"|"good"|"warn"|"bad"} [tone] @returns {HTMLElement} to be removed earlier */
export function toast(text, tone = "info") {
  if (!box) {
    box = el("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(box);
  }
  // The same message twice is one message.
  for (const old of [...box.children]) if (old.textContent === text) old.remove();
  while (box.children.length >= MOST) box.firstChild.remove();
  const note = el("div", { class: "toast", dataset: { tone } }, text);
  box.append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
  return note;
}
