/** What the webhooks page says of a webhook and of what was sent to it. Pure. */
import { ago, plural } from "./format.js";
import { serverNow } from "./server_time.js";

/** @returns {[string, string]} (words, tone) */
export function stateOf(hook, now = serverNow()) {
  if (hook.state !== "active" && hook.maker_left) return [`off: ${hook.made_by ?? "its maker"} is no longer a supervisor here`, "warn"];
  if (hook.state === "off") return ["paused", ""];
  if (hook.state === "failed") return ["turned off: it failed for three days", "bad"];
  if (hook.failures) {
    const wait = hook.next_at ? Math.max(0, Math.round((hook.next_at - now) / 1000)) : 0;
    return [`${plural(hook.failures, "failure")} in a row since ${ago(hook.failing_since, now)}; tried again ${wait ? `in ${wait < 90 ? `${wait} s` : `${Math.round(wait / 60)} min`}` : "now"}`, "warn"];
  }
  return ["active", "good"];
}

/** Which events come. @param {string[]} types */
export function typesWords(types) {
  if (!types.length) return "all events";
  return types.length > 4 ? `${types.slice(0, 3).join(", ")} and ${types.length - 3} more` : types.join(", ");
}

/** "204 in 12 ms", or what was wrong. @param {{status: ?number, error: ?string, ms: number}} d */
export function outcome(d) {
  const code = d.status === null || d.status === undefined ? "" : `${d.status} `;
  return d.error ? `${code}${d.error}` : `${code}in ${d.ms} ms`;
}
