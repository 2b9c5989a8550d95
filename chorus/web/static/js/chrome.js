/** What every signed-in page has: signing out, and where the person's clock is. */
import { api } from "./api.js";
import { boot } from "./dom.js";

document.querySelector("#sign-out")?.addEventListener("click", async () => {
  await api("DELETE", "/api/session").catch(() => {});
  location.assign("/oidc/signed-out");
});

// Counts of today go by it.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (here && here !== boot().time_zone) api("PUT", "/api/me/time-zone", { time_zone: here }).catch(() => {});

// On a phone the rooms scroll sideways: the one that is open must be seen.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A menu closes when the person clicks elsewhere or presses Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (e) => {
    if (!menu.contains(e.target)) menu.removeAttribute("open");
  });
  menu.addEventListener("keydown", (e) => {
    if (e.key === "Escape") menu.removeAttribute("open");
  });
}
