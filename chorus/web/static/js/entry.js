/** The doors: sign in, first set-up, invitation. */
import { $, boot } from "./dom.js";
import { api } from "./api.js";
import { onSubmit, showablePassword } from "./form.js";

const start = boot();
const SEND = {
  signin: async ({ login, password }) => {
    await api("POST", "/api/session", { login, password });
    location.assign(start.next ?? "/");
  },
  setup: async ({ login, name, password }) => {
    await api("POST", "/api/setup", { token: start.token, login, name, password });
    location.assign("/");
  },
  invite: async ({ login, name, password }) => {
    const mine = start.user !== null;
    const joined = await api(
      "POST",
      `/api/invites/${encodeURIComponent(start.token)}`,
      mine ? {} : { login, name, password },
    );
    location.assign(joined.project_id ? `/p/${joined.project_id}` : "/");
  },
};

const form = $("form");
onSubmit(form, SEND[form.dataset.door]);
showablePassword(form);
