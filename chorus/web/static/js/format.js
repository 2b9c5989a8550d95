/** How numbers, times and colours are shown, the same everywhere. */
import { _, language, ngettext } from "./i18n.js";
import { serverNow } from "./server_time.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 12345 → "12,345". */
export function count(n) {
  return whole.format(n);
}

/** 0.9734 → "97.3 %"; null → "–". */
export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;
}

/** A score as people read it: never rounded up to certainty. */
export function score(share) {
  return `${Math.floor(share * 100)} %`;
}

/** "just now", "3 min ago", "2 h ago", "4 d ago". */
export function ago(ms, now = serverNow()) {
  if (!ms) return "–";
  const minutes = Math.floor(Math.max(0, now - ms) / 60_000);
  if (minutes < 1) return _("just now");
  if (minutes < 60) return ngettext("%(n)s min ago", "%(n)s min ago", minutes);
  if (minutes < 48 * 60) return ngettext("%(n)s h ago", "%(n)s h ago", Math.floor(minutes / 60));
  return ngettext("%(n)s d ago", "%(n)s d ago", Math.floor(minutes / 1440));
}

/** When something was: today the time, else the day and the time. */
export function moment(ms, now = serverNow()) {
  const at = new Date(ms);
  const time = { hour: "2-digit", minute: "2-digit" };
  const today = at.toDateString() === new Date(now).toDateString();
  const day = { day: "numeric", month: "short" };
  return at.toLocaleString(language === "en" ? "en-GB" : language, today ? time : { ...day, ...time });
}

/** 3.2 → "3.2 s", 95 → "1 min 35 s". */
export function seconds(s) {
  if (s === null || s === undefined) return "";
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/**
 * Black or white, whichever is easier to read on `#rrggbb`: at least 4.5 : 1 on every colour, since
 * both are that at WCAG's relative luminance of 0.179.
 */
export function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(color.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}
