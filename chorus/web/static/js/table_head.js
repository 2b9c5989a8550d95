/** The first lines of a table of texts: which columns it has, and what each is for. Pure. */

const NAMES = ["name", "id", "item", "item_id", "key"];
const LABELS = ["label", "class", "category"];
const GOLD = ["gold"];
const FILES = ["path", "file", "filename"];

/**
 * @typedef {{name: string, role: "text"|"name"|"label"|"gold", example: string}} Column
 * @param {string} text the beginning of the file
 * @param {string} filename
 * @returns {?Column[]} null: nothing that could be chosen from (a list of files, or unreadable)
 */
export function columnsOf(text, filename) {
  const [header, first] = /\.(jsonl|ndjson)$/i.test(filename) ? ofJson(text) : ofCells(text);
  if (!header.length || header.includes("") || header.some((name) => /[\0\ufffd]/.test(name))) return null;
  const lower = header.map((name) => name.toLowerCase());
  if (lower.some((n) => FILES.includes(n)) && lower.every((n) => [...FILES, ...NAMES, ...LABELS, ...GOLD].includes(n))) {
    return null;
  }
  const taken = new Set();
  const roles = [["name", NAMES], ["label", LABELS], ["gold", GOLD]];
  const place = new Map();
  for (const [role, names] of roles) {
    // The first name of the list that is there, wherever it stands.
    const at = names.map((n) => lower.indexOf(n)).find((i) => i >= 0);
    if (at !== undefined && !taken.has(at)) {
      taken.add(at);
      place.set(at, role);
    }
  }
  return header.map((name, i) => ({ name, role: place.get(i) ?? "text", example: String(first[i] ?? "") }));
}

function ofJson(text) {
  try {
    const row = JSON.parse(text.replace(/^\ufeff/, "").split(/\r?\n/, 1)[0]);
    const keys = Object.keys(row);
    return [keys, keys.map((k) => (typeof row[k] === "string" ? row[k] : JSON.stringify(row[k])))];
  } catch {
    return [[], []];
  }
}

function ofCells(text) {
  const start = text.replace(/^\ufeff/, "");
  const line = start.split(/\r?\n|\r/, 1)[0];
  const count = (mark) => line.split(mark).length;
  const separator = [",", "\t", ";"].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
  const [header = [], first = []] = records(start, separator, 2);
  return [header.map((cell) => cell.trim()), first];
}

/** The first records of a CSV: quoted cells may hold separators, line ends and doubled quotes. */
function records(text, separator, most) {
  const out = [];
  let cells = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i <= text.length && out.length < most; i++) {
    const c = text[i];
    if (quoted) {
      if (c === undefined) break;
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === separator) {
      cells.push(cell);
      cell = "";
    } else if (c === undefined || c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i++;
      if (cell || cells.length) out.push([...cells, cell]);
      cells = [];
      cell = "";
    } else cell += c;
  }
  return out;
}
