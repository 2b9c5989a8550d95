/** The sign in the top bar that says whether this page is live. */
import { $, el, setText } from "./dom.js";
import { toSignIn } from "./api.js";
import { _ } from "./i18n.js";

const ENDED = {
  signed_out: _("You are signed out."),
  session_ended: _("Your session has ended, or you are no longer a member."),
  replaced: _("This page was opened in another tab."),
};

/**
 * @param {import("./socket.js").Socket} socket
 * @param {{takeOver?: () => void}} [options] what "Continue here" does after being replaced
 */
export function showConnection(socket, { takeOver = () => location.reload() } = {}) {
  const sign = $("#connection");
  const show = (state, text) => {
    sign.dataset.state = state;
    setText($(".connection-text", sign), text);
  };
  socket.addEventListener("open", () => show("live", _("Live")));
  socket.addEventListener("lost", () => show("lost", _("Reconnecting …")));
  socket.addEventListener("ended", (e) => {
    show("ended", _("Disconnected"));
    const { reason } = e.detail;
    const again = reason === "replaced" ? takeOver : toSignIn;
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "ended-title" },
      el("h2", { id: "ended-title" }, ENDED[reason] ?? _("The connection was closed.")),
      el(
        "button",
        { class: "button primary", onclick: again },
        reason === "replaced" ? _("Continue here") : _("Sign in again"),
      ),
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
  });
}
