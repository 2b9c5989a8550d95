/** New instructions on the labeler's page: read and confirmed, once per revision, before going on. */
import { $ } from "./dom.js";
import { api } from "./api.js";

export class Reading {
  /**
   * @param {string} root of the project's REST routes
   * @param {() => void} onDone
   */
  constructor(root, onDone) {
    this._root = root;
    this._onDone = onDone;
    this._dialog = $("#reading");
    this._done = 0;
    this._revision = 0;
    // Escape does not make them read.
    this._dialog.addEventListener("cancel", (e) => e.preventDefault());
    $("#reading-done").addEventListener("click", () => this._confirm());
  }

  get isOpen() {
    return this._dialog.open;
  }

  /** @param {any} project as the server says it is now */
  take(project) {
    const { instructions_rev: revision = 0, confirmed_rev: confirmed = 0 } = project;
    this._done = Math.max(this._done, confirmed);
    if (revision <= this._done || !project.instructions_html.trim()) {
      if (this.isOpen) this._dialog.close();
      return;
    }
    if (revision !== this._revision || !this.isOpen) {
      // Sanitised by the server: raw HTML in the Markdown is shown as text there.
      $("#reading-text").innerHTML = project.instructions_html;
      $("#reading-text").scrollTop = 0;
    }
    this._revision = revision;
    if (!this.isOpen) this._dialog.showModal();
  }

  async _confirm() {
    this._done = this._revision;
    this._dialog.close();
    this._onDone();
    try {
      await api("POST", `${this._root}/instructions/confirm`, { revision: this._revision });
    } catch {
      // No connection: the page is asked again when it is loaded anew.
    }
  }
}
