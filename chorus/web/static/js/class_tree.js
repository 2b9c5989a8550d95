/** Classes as groups by their paths (`Clothing/Tops/Shirt`), and lists of them as text. Pure. */

export const LEVELS_MAX = 6;
const COLOR = /\s*[,;\t ]\s*(#[0-9a-f]{6})$/i;

/**
 * Lines to show, each group before what is in it, in the order of their first class.
 * @param {{name: string}[]} classes
 * @returns {{label: string, path: string, depth: number, index: ?number}[]} index: the class's place
 *   in the list; null: only a heading
 */
export function treeOf(classes) {
  const root = node("", "", null);
  classes.forEach(({ name }, index) => {
    let at = root;
    let path = "";
    for (const level of name.split("/")) {
      path = path ? `${path}/${level}` : level;
      let next = at.inside.get(level);
      if (!next) {
        next = node(level.trim(), path, null);
        at.inside.set(level, next);
      }
      at = next;
    }
    at.index = index;
  });
  const lines = [];
  const walk = (at, depth) => {
    for (const child of at.inside.values()) {
      lines.push({ label: child.label, path: child.path, depth, index: child.index });
      walk(child, depth + 1);
    }
  };
  walk(root, 0);
  return lines;
}

function node(label, path, index) {
  return { label, path, index, inside: new Map() };
}

/**
 * A list that was typed or pasted: a class in a line, indented ones inside the line above them (so
 * that a tree may be pasted); a single line may have commas between them; a colour may follow.
 * @param {string} text
 * @returns {{name: string, color: ?string}[]}
 */
export function parseClasses(text) {
  let lines = text.split(/\r?\n/).filter((line) => line.trim());
  if (lines.length === 1 && /[,;]/.test(lines[0].replace(COLOR, ""))) lines = lines[0].split(/[,;]/).map((s) => s.trim()).filter(Boolean);
  const open = [];
  const out = [];
  const seen = new Set();
  for (const line of lines) {
    const indent = line.match(/^[ \t]*/)[0].replaceAll("\t", "    ").length;
    const bare = line.trim().replace(/^[-*•]\s+/, "");
    const color = bare.match(COLOR)?.[1] ?? null;
    const own = bare.replace(COLOR, "").split("/").map((level) => level.trim()).filter(Boolean).join("/");
    while (open.length && open.at(-1).indent >= indent) open.pop();
    const name = open.length ? `${open.at(-1).name}/${own}` : own;
    open.push({ indent, name });
    if (!own || seen.has(name)) continue;
    seen.add(name);
    out.push({ name, color });
  }
  return out;
}

/** The groups of `names` that are no classes yet, each before what is in it. */
export function missingGroups(names) {
  const known = new Set(names);
  const out = [];
  for (const name of names) {
    const levels = name.split("/");
    for (let n = 1; n < levels.length; n += 1) {
      const group = levels.slice(0, n).join("/");
      if (known.has(group)) continue;
      known.add(group);
      out.push(group);
    }
  }
  return out;
}

/**
 * Names that classes have now, by those they had: a class keeps its place in the list.
 * @param {{name: string}[]} before
 * @param {{name: string}[]} after
 * @returns {Map<string, string>}
 */
export function renamedFrom(before, after) {
  const out = new Map();
  before.forEach((c, i) => {
    if (after[i] && after[i].name !== c.name) out.set(c.name, after[i].name);
  });
  return out;
}
