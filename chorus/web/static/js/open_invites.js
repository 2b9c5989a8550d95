/** Invitations that can still be used: for whom, by whom, until when, and an end to them. */
import { $, el, fill, thead } from "./dom.js";
import { acting } from "./acting.js";
import { api } from "./api.js";
import { count, moment, plural } from "./format.js";
import { toast } from "./toast.js";

/** What came of taking a member out. @param {{invites_ended: number} | undefined} answer of the server */
export function sayEnded(answer) {
  if (answer?.invites_ended) toast(`${plural(answer.invites_ended, "open invitation")} ended, too.`);
}

/**
 * @param {string} path of the REST routes
 * @param {boolean} everywhere of the whole server, so that their projects are said
 * @returns {{show: () => Promise<void>}}
 */
export function openInvites(path, everywhere) {
  async function show() {
    const { invites } = await api("GET", path);
    $("#open-invites").hidden = !invites.length;
    const heads = ["For", "Role", ...(everywhere ? ["Project"] : []), "Made by", "Uses left", "Until"];
    fill($("#invites"),
      thead(heads, { actions: true }),
      el("tbody", {}, ...invites.map(row)));
  }

  const act = acting(show);

  function row(invite) {
    const whom = invite.login ?? "whoever has the link";
    const end = () => {
      if (confirm(`End this invitation for ${whom}? Nobody comes in by it any more.`)) act("DELETE", `${path}/${invite.invite_id}`);
    };
    return el("tr", { dataset: { invite: invite.invite_id } },
      el("td", {}, whom), el("td", {}, invite.role), everywhere ? el("td", {}, invite.project ?? "") : null,
      el("td", {}, invite.by), el("td", { class: "num" }, count(invite.uses_left)), el("td", { class: "muted" }, moment(invite.expires_at)),
      el("td", { class: "num" }, el("button", { class: "button quiet danger", type: "button", "aria-label": `End the invitation for ${whom} as ${invite.role}`, onclick: end }, "End")));
  }

  return { show };
}
