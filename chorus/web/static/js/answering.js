/**
 * How a class key answers: with an item's one class, or with one more class of its set. A page's
 * state carries one of these, so that the rest of it need not know which. Pure.
 *
 * @typedef {{
 *   give: (given: (?string[])[], name: ?string) => (?string[])[],
 *   completes: (name: ?string) => boolean,
 *   read: (value: object, by: "model"|"vote") => {classes: string[], shapes?: object[]},
 *   value: (answer: {classes: string[], shapes?: object[]}) => object,
 *   same: (a: {classes: string[]}, b: {classes: string[]}) => boolean,
 * }} Answering
 * `give`: from what each item is said to be (null: no answer yet) to what it is then; `name` is the
 * class of the key, null says that no class applies. `completes`: nothing is left to say then. `read`
 * and `value`: from a value of the protocol and to one; `same`: two answers say the same.
 */
import { read, same, write } from "./shapes/shapes.js";
import { classesOf, inOrder, sameClasses, taskOf, valueOf } from "./task.js";

/**
 * @param {{task_type: string}} project
 * @param {() => string[]} order the names of the project's classes, as they are now
 * @returns {Answering}
 */
export function answeringOf(project, order) {
  const task = taskOf(project);
  if (task.shapes) return drawing(task.shapes);
  const classes = {
    read: (value) => ({ classes: classesOf(value) ?? [] }),
    value: (answer) => valueOf(task, answer.classes),
    same: (a, b) => sameClasses(a.classes, b.classes),
  };
  return task.multi ? { ...classSet(order), ...classes } : { ...ONE_CLASS, ...classes };
}

/** Shapes are drawn, not given by keys: a key alone says at most that nothing is there. */
function drawing(kind) {
  return {
    give: (given) => given,
    completes: () => false,
    read: (value, by) => ({ classes: classesOf(value) ?? [], shapes: read(value, by) }),
    value: (answer) => write(kind, answer.shapes ?? []),
    same: (a, b) => same(a.shapes ?? [], b.shapes ?? []),
  };
}

const ONE_CLASS = {
  give: (given, name) => given.map(() => [name]),
  completes: () => true,
};

/** A class is put into every set, or, where all have it, taken out of all. */
function classSet(order) {
  return {
    give(given, name) {
      if (name === null) {
        const all = given.every((classes) => classes !== null && !classes.length);
        return given.map(() => (all ? null : []));
      }
      const all = given.every((classes) => classes?.includes(name));
      return given.map((classes) =>
        all ? without(classes, name) : inOrder([...(without(classes, name) ?? []), name], order()));
    },
    completes: (name) => name === null,
  };
}

/** A set that loses its last class is no answer any more: that none applies must be said. */
export function without(classes, name) {
  const rest = (classes ?? []).filter((c) => c !== name);
  return rest.length ? rest : null;
}
