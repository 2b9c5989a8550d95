/**
 * Answers on pages that are not sent yet, kept over a reload of this tab: the server re-sends
 * the pages a tab holds under the same page_id, and the answers are put back in.
 */
const SUBMITTED_KEPT = 60;

export class Drafts {
  /** @param {string} userId @param {string} projectId @param {Storage} [storage] */
  constructor(userId, projectId, storage = sessionStorage) {
    this._storage = storage;
    this._key = `chorus.answers.${userId}.${projectId}`;
    /** @type {{pages: Record<string, {answers: object, focus: number, came: number}>, submitted: number[], told?: any}} */
    this._kept = { pages: {}, submitted: [] };
    try {
      this._kept = { ...this._kept, ...JSON.parse(storage.getItem(this._key) ?? "{}") };
    } catch {
      // Unreadable: nothing was drafted.
    }
  }

  /** How many pages this tab held when it was last seen. */
  get held() {
    return Object.keys(this._kept.pages).length;
  }

  /** What was answered on a page before the reload. */
  of(pageId) {
    return this._kept.pages[pageId];
  }

  /** Was this page sent already? (Its votes may still be on their way.) */
  isSubmitted(pageId) {
    return this._kept.submitted.includes(pageId);
  }

  submitted(pageId) {
    delete this._kept.pages[pageId];
    this._kept.submitted = [...this._kept.submitted, pageId].slice(-SUBMITTED_KEPT);
  }

  /** A practice page that was sent and is still being told, as it was last seen; or null. */
  get told() {
    return this._kept.told ?? null;
  }

  /**
   * Remember these pages.
   * @param {import("./page_state.js").PageState[]} pages
   * @param {?import("./page_state.js").PageState} told
   * @param {boolean} all whether they are all that this tab holds; else the server may still send others
   *   whose answers are here
   */
  keep(pages, told, all) {
    this._kept.told = told && {
      page: { page_id: told.page_id, kind: told.kind, size: told.size, items: told.items, practice: told.practice },
      answers: told.answers, verdicts: told.verdicts,
    };
    const here = Object.fromEntries(
      pages.map((p) => [p.page_id, { answers: p.answers, focus: p.focus, came: p.came }]),
    );
    this._kept.pages = all ? here : { ...this._kept.pages, ...here };
    try {
      this._storage.setItem(this._key, JSON.stringify(this._kept));
    } catch {
      // Full or forbidden: the page works, only a reload would forget.
    }
  }
}
