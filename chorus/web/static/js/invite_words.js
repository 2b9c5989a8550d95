/** What an invitation list does, in words, and its links as a CSV. Pure. */

const DOES = {
  invite: "gets a link",
  join: "has an account: joins at once",
  change: "has an account: gets this role",
  nothing: "is in already",
};

/** @param {{does: string}} person */
export const doesWords = (person) => DOES[person.does];

/** @param {object[]} people with `url` where they got one */
export function linksCsv(people) {
  const rows = people.filter((p) => p.url).map((p) => [p.login, p.name, p.email ?? "", p.role, p.project ?? "", p.url]);
  return [["login", "name", "email", "role", "project", "link"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** A spreadsheet must not take a name for a formula. */
function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
