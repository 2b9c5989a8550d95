/** What the server refused, in the person's language. English as the server says it. */
import { _, language } from "./i18n.js";

/** @param {{code?: string, message: string}} error */
export function errorWords(error) {
  if (language === "en" || !error.code) return error.message;
  return {
    offline: _("The server cannot be reached. Check your connection and try again."),
    wrong_password: _("The login or the password is wrong."),
    rate_limited: _("Too many tries. Wait a moment and try again."),
    forbidden: _("You may not do this here."),
    not_found: _("It is not there (any more)."),
    conflict: _("This is taken, or was changed meanwhile."),
    bad_value: _("The server does not take this value."),
    too_large: _("It is too large to be sent. Draw fewer shapes, or with fewer points."),
    item_closed: _("A supervisor has decided this item meanwhile."),
    already_voted: _("You have answered this item already."),
    not_leased: _("This item was never handed to you."),
    not_signed_in: _("Sign in first."),
    internal: _("Something went wrong on the server; it is in its log."),
  }[error.code] ?? error.message;
}
