/**
 * The set of classes that a reviewer puts together, for the item in view or for those selected,
 * before it is decided. It is dropped when they turn to others.
 */
export class Draft {
  /** @param {import("./answering.js").Answering} answering */
  constructor(answering) {
    this._answering = answering;
    this._about = "";
    /** @type {?string[]} null: nothing was changed yet */
    this.classes = null;
  }

  /** Say what a key would be about now. @param {string} key */
  about(key) {
    if (key !== this._about) this.classes = null;
    this._about = key;
  }

  /** Put a class in or take it out (null: none applies), starting from what is said now. */
  tag(name, from) {
    // Without any class left it is the empty set: there is nothing else it could mean here.
    [this.classes] = this._answering.give([this.classes ?? from], name);
    this.classes ??= [];
  }

  clear() {
    this.classes = null;
  }
}
