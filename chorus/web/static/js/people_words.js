/** What the people pages say of teams and clocks, and whom a filter finds. Pure. */

/** The time of day in a time zone, and how far that is from UTC. @param {?string} zone of the IANA database */
export function clockIn(zone, now = Date.now()) {
  if (!zone) return "–";
  try {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", timeZoneName: "shortOffset" }).formatToParts(now);
    const part = (type) => parts.find((p) => p.type === type)?.value ?? "";
    return `${part("hour")}:${part("minute")} (${part("timeZoneName").replace("GMT", "UTC")})`;
  } catch {
    return zone; // newer than this browser
  }
}

/** The people that a text (name, login or address) and a team leave over; "": all, "none": in no team. */
export function found(people, text, team) {
  const wanted = text.trim().toLowerCase();
  return people.filter((p) => {
    if (team === "none" ? p.teams.length : team && !p.teams.includes(team)) return false;
    return !wanted || [p.name, p.login, p.email ?? ""].some((field) => field.toLowerCase().includes(wanted));
  });
}

/** user_id → names of their teams. @param {{name: string, people: string[]}[]} teams */
export function teamsByPerson(teams) {
  const out = new Map();
  for (const team of teams) for (const user of team.people) out.set(user, [...(out.get(user) ?? []), team.name]);
  return out;
}
