/** What a token may do, in words. Pure. */

const MAY = { read: "only read", label: "label", all: "all that you may" };

/** @param {{scope: string, project_id: string|null}} token @param {Map<string, string>} names of projects */
export function tokenWords({ scope, project_id }, names) {
  if (project_id === null) return MAY[scope];
  return `${MAY[scope]}, in ${names.get(project_id) ?? "a project you no longer see"}`;
}

/** The last millisecond of a day given as "2027-03-31", where the browser is; null for "". */
export function endOfDay(day) {
  if (!day) return null;
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + 1).getTime() - 1;
}

/** A day some days from now, as a date field takes it. */
export function dayFrom(now, days) {
  const at = new Date(now);
  at.setDate(at.getDate() + days);
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
