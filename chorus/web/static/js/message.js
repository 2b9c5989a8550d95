/** Writing to one labeler: what was written before, and a new sentence that only they see. */
import { $, el, fill, setText } from "./dom.js";
import { ago } from "./format.js";
import { toast } from "./toast.js";

const SHOWN = 5;

export class MessageForm {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(type: string, body: any) => Promise<any>} command
   */
  constructor(dialog, command) {
    this._dialog = dialog;
    this._command = command;
    this._person = null;
    $("form", dialog).addEventListener("submit", (e) => {
      e.preventDefault();
      this._send();
    });
    $(".dialog-close", dialog).addEventListener("click", () => dialog.close());
  }

  /** @param {{user_id: string, name: string}} person */
  open(person) {
    this._person = person;
    setText($("h2", this._dialog), `Message to ${person.name}`);
    $(".error", this._dialog).hidden = true;
    this._showSent([]);
    this._dialog.showModal();
    $("textarea", this._dialog).focus();
    this._load(person);
  }

  async _load(person) {
    const { notes } = await this._command("note.list", { to: person.user_id }).catch(() => ({ notes: [] }));
    if (this._person === person) this._showSent(notes);
  }

  _showSent(notes) {
    const box = $(".message-sent", this._dialog);
    box.hidden = !notes.length;
    fill($("ul", box), ...notes.slice(0, SHOWN).map((n) =>
      el("li", {}, n.text, " ", el("span", { class: "muted" }, `${n.name}, ${ago(n.at)}`))));
  }

  async _send() {
    const field = $("textarea", this._dialog);
    const text = field.value.trim();
    if (!text) return;
    const person = this._person;
    const button = $("button[type=submit]", this._dialog);
    button.disabled = true;
    try {
      await this._command("note.add", { text, to: person.user_id });
      field.value = "";
      this._dialog.close();
      toast(`Sent to ${person.name} alone: at once if they are here, else when they come.`, "good");
    } catch (error) {
      const problem = $(".error", this._dialog);
      problem.hidden = false;
      setText(problem, error.message || "No connection: the message was not sent. Try again.");
    } finally {
      button.disabled = false;
    }
  }
}
