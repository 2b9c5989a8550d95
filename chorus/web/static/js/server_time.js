/** What time it is by the server's clock, by which everything in the project is dated: that of the computer in front may be wrong. */

let ahead = 0;

/** The server has said what time it is. @param {number} ms */
export function heard(ms) {
  ahead = ms - Date.now();
}

/** Milliseconds since 1970 UTC; before the server has said anything, by this computer. */
export function serverNow() {
  return Date.now() + ahead;
}
