/** Writing a guideline note: one sentence that every labeler sees at once. */
import { $, fill, setText } from "./dom.js";
import { preview } from "./content.js";
import { toast } from "./toast.js";

export class NoteForm {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(body: {text: string, item_id?: number}) => Promise<any>} send
   */
  constructor(dialog, send) {
    this._dialog = dialog;
    this._send = send;
    this._item = null;
    const form = $("form", dialog);
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      this._submit();
    });
    $(".dialog-close", dialog).addEventListener("click", () => dialog.close());
  }

  get isOpen() {
    return this._dialog.open;
  }

  /** @param {?any} item it is about */
  open(item) {
    this._item = item;
    const about = $(".note-about", this._dialog);
    about.hidden = !item;
    if (item) {
      fill($(".note-item", about), preview(item));
      setText($(".note-name", about), item.name);
      $("input", about).checked = true;
    }
    $(".error", this._dialog).hidden = true;
    this._dialog.showModal();
    $("textarea", this._dialog).focus();
  }

  async _submit() {
    const field = $("textarea", this._dialog);
    const text = field.value.trim();
    if (!text) return;
    const button = $("button[type=submit]", this._dialog);
    const withItem = this._item && $(".note-about input", this._dialog).checked;
    button.disabled = true;
    try {
      await this._send(withItem ? { text, item_id: this._item.item_id } : { text });
      field.value = "";
      this._dialog.close();
      toast("Your note has reached every labeler who is here; the others see it when they come.");
    } catch (error) {
      const problem = $(".error", this._dialog);
      problem.hidden = false;
      setText(problem, error.message || "No connection: the note was not sent. Try again.");
    } finally {
      button.disabled = false;
    }
  }
}
