/** The pages sent last, to go back to: from the server's history, then from what is sent here. */

const PAGES_KEPT = 20;

/**
 * Group the votes of `labeling.history` (newest first) into the pages they were given on.
 * @returns {any[]} pages as the protocol's Page, newest first, every item with its vote
 */
export function pagesOf(votes) {
  const pages = new Map();
  for (const vote of votes) {
    if (!vote.open) continue; // Decided by a supervisor: nothing to correct any more.
    const key = vote.page_id ?? vote.vote_id;
    if (!pages.has(key)) pages.set(key, { page_id: key, kind: "manual", size: 9, items: [] });
    pages.get(key).items.unshift({
      item_id: vote.item_id,
      lease_id: null,
      name: vote.name,
      thumb: vote.thumb,
      image: vote.image,
      text: vote.text ?? null,
      width: vote.width,
      height: vote.height,
      prelabel: null,
      odd: null,
      vote: { vote_id: vote.vote_id, kind: vote.kind, value: vote.value },
    });
  }
  // A page of one was sent by labeling, and is corrected so.
  return [...pages.values()].map((p) => ({ ...p, size: p.items.length === 1 ? 1 : 9 }));
}

/** `page` in front of `pages`, in place of an older version of itself. */
export function withPage(pages, page) {
  const at = pages.findIndex((p) => p.page_id === page.page_id);
  if (at >= 0) return pages.map((p, i) => (i === at ? page : p));
  return [page, ...pages].slice(0, PAGES_KEPT);
}
