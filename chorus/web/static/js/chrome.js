/** What every signed-in page has: signing out. */
import { api } from "./api.js";

document.querySelector("#sign-out")?.addEventListener("click", async () => {
  await api("DELETE", "/api/session").catch(() => {});
  location.assign("/oidc/signed-out");
});

// A menu closes when the person clicks elsewhere or presses Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (e) => {
    if (!menu.contains(e.target)) menu.removeAttribute("open");
  });
  menu.addEventListener("keydown", (e) => {
    if (e.key === "Escape") menu.removeAttribute("open");
  });
}
