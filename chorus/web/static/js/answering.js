/**
 * How a class key answers: with an item's one class, or with one more class of its set. A page's
 * state carries one of these, so that the rest of it need not know which. Pure.
 *
 * @typedef {{
 *   give: (given: (?string[])[], name: ?string) => (?string[])[],
 *   completes: (name: ?string) => boolean,
 *   value: (classes: string[]) => object,
 * }} Answering
 * `give`: from what each item is said to be (null: no answer yet) to what it is then; `name` is the
 * class of the key, null says that no class applies. `completes`: nothing is left to say then.
 */
import { inOrder, taskOf, valueOf } from "./task.js";

/**
 * @param {{task_type: string}} project
 * @param {() => string[]} order the names of the project's classes, as they are now
 * @returns {Answering}
 */
export function answeringOf(project, order) {
  const task = taskOf(project);
  const value = (classes) => valueOf(task, classes);
  return task.multi ? { ...classSet(order), value } : { ...ONE_CLASS, value };
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
