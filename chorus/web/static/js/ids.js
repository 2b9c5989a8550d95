/** Random ids, and the id of this browser tab. */

/** A version 7 UUID (RFC 9562): the time in ms, then chance. Newer ones come later in order, so
 * that the server's index of votes grows at its end. Made here, because `crypto.randomUUID` knows
 * version 4 only, and is missing on plain http to another machine. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let at = 0; at < 6; at += 1) bytes[at] = Math.floor(now / 2 ** (8 * (5 - at))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((s, at) => `${s.slice(0, at)}-${s.slice(at)}`, hex);
}

const TAB = "chorus.tab";

/** This tab's id: it outlives a reload, so the server knows which pages the tab holds. */
export function tabId() {
  let id = sessionStorage.getItem(TAB);
  if (!id) {
    id = uuid();
    sessionStorage.setItem(TAB, id);
  }
  return id;
}

/** A fresh id: a duplicated tab copies its sessionStorage, and with it the id. */
export function newTabId() {
  sessionStorage.removeItem(TAB);
  return tabId();
}
