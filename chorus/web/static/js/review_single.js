/** One item large: what it is, who said what, the model, what looks like it, and the keys. */
import { $, el, fill, firstClick, setText, setVars } from "./dom.js";
import { preview, reading, sayWhyMissing, textOf } from "./content.js";
import { ago, plural, score, seconds } from "./format.js";
import { saidOf } from "./review_filter.js";
import { Words, answerOf, decidedWords, modelWords, sureWords, tally, votedOf, why } from "./review_words.js";
import { classesOf, wordsOf } from "./task.js";

/** Small pictures are shown larger, but not as a blur. */
const ENLARGE_MOST = 14;
const AHEAD = 12;
const BEHIND = 3;

export class Single {
  /**
   * @param {HTMLElement} root
   * @param {Words} words
   * @param {?import("./shapes/review_board.js").ReviewBoard} board where shapes are drawn
   * @param {{show: (id: number) => void, decide: (action: string) => void, zoom: () => void,
   *   zoomOther: (item: any) => void}} on
   * @param {string} me user_id
   */
  constructor(root, words, board, on, me) {
    this._root = root;
    this._words = words;
    this._on = on;
    this._me = me;
    this._board = board;
    this._drawn = "";
    this._strip = "";
    if (!board) {
      $(".rv-picture", root).addEventListener("click", () => on.zoom());
      sayWhyMissing($(".rv-picture img", root));
    }
    for (const button of root.querySelectorAll("[data-action]")) {
      button.addEventListener("click", firstClick(() => on.decide(button.dataset.action)));
      button.addEventListener("mousedown", (e) => e.preventDefault());
    }
  }

  /**
   * @param {import("./review_room.js").Room} room
   * @param {?string[]} draft classes put together here and not decided yet
   */
  render(room, draft) {
    const item = room.item;
    this._drawStrip(room);
    const holder = item ? (room.claims.get(item.item_id) ?? null) : null;
    const gone = item !== null && !room.order.includes(item.item_id);
    this._board?.render(item);
    const drawn = JSON.stringify([item, holder, gone, draft, this._board && item && this._board.words()]);
    if (drawn === this._drawn) return;
    this._drawn = drawn;
    $(".rv-item", this._root).hidden = !item;
    if (!item) return;
    this._content(item);
    this._notice(item, holder, gone);
    this._verdict(item);
    this._actions(item, draft);
    fill($(".rv-votes", this._root), ...item.votes.map((v) => this._vote(v)));
    setText($(".rv-votes-title", this._root), votesTitle(item));
  }

  _drawStrip(room) {
    const at = Math.max(0, room.index);
    const shown = room.order.slice(Math.max(0, at - BEHIND), at + AHEAD);
    const drawn = JSON.stringify([shown, room.current, shown.map((id) => room.claims.get(id))]);
    if (drawn === this._strip) return;
    this._strip = drawn;
    fill($(".rv-strip", this._root), ...shown.map((id) => {
      const item = room.items.get(id);
      const by = room.claims.get(id);
      return el("button",
        {
          type: "button", class: "rv-thumb", tabIndex: -1, dataset: { item: String(id) },
          "aria-current": id === room.current ? "true" : undefined,
          title: by ? `${by} is on it` : item.name,
          "aria-label": by ? `${item.name}, ${by} is on it` : item.name,
          onclick: () => this._on.show(id),
          onmousedown: (e) => e.preventDefault(),
        },
        preview(item),
        by ? el("span", { class: "rv-by" }, by) : null);
    }));
  }

  _content(item) {
    const url = textOf(item);
    const text = $(".rv-text", this._root);
    text.hidden = url === null;
    if (!this._board) $(".rv-picture", this._root).hidden = url !== null;
    if (this._board) text.hidden = true;
    else if (url === null) this._picture(item);
    else if (text.dataset.item !== String(item.item_id)) {
      text.dataset.item = String(item.item_id);
      fill(text, reading(url));
      text.scrollTop = 0;
    }
    setText($(".rv-name", this._root), item.name);
    setText($(".rv-size", this._root), url === null ? `${item.width} × ${item.height}` : "");
  }

  /** A text: a page on or back. */
  read(by) {
    const text = $(".rv-text", this._root);
    text.scrollBy({ top: by * 0.85 * text.clientHeight });
  }

  _picture(item) {
    const image = $(".rv-picture img", this._root);
    if (image.dataset.item === String(item.item_id)) return;
    image.dataset.item = String(item.item_id);
    image.src = item.image;
    image.alt = item.name;
    setVars(image, { most: `${Math.max(item.width, item.height, 1) * ENLARGE_MOST}px` });
  }

  _notice(item, holder, gone) {
    const notice = $(".rv-notice", this._root);
    const decided = item.decided;
    if (gone && decided && decided.user_id !== this._me) {
      notice.dataset.tone = "warn";
      setText(notice, `${decidedWords(decided, this._me)} ${ago(decided.at)}. Go on with J.`);
    } else if (gone) {
      notice.dataset.tone = "info";
      setText(notice, "This item has left the list. Go on with J.");
    } else if (holder) {
      notice.dataset.tone = "warn";
      setText(notice, `${holder} is on it.`);
    } else if (decided) {
      notice.dataset.tone = "info";
      setText(notice, `${decidedWords(decided, this._me)} ${ago(decided.at)}.`);
    } else {
      notice.dataset.tone = "none";
      setText(notice, "");
    }
  }

  _verdict(item) {
    const said = saidOf(item);
    setText($(".rv-why", this._root), why(item));
    fill($(".rv-answer", this._root),
      ...(said ? this._words.chips(said, "large") : [el("b", {}, "No label")]),
      el("span", { class: "muted" }, sureWords(item)),
      item.gold ? el("span", { class: "chip-plain rv-gold" }, "gold") : null);
    const votes = item.votes.filter((v) => v.standing).length;
    $(".rv-bar", this._root).hidden = this._board !== null;
    fill($(".rv-bar", this._root), ...tally(item).map(([words, classes, names]) => {
      const part = el("span", { title: `${words}: ${names.join(", ")}` }, `${words} ${names.length}`);
      setVars(part, { ...this._words.colorsOf(classes), share: String(names.length / votes) });
      return part;
    }));
    const model = $(".rv-model", this._root);
    model.hidden = !item.model;
    if (item.model) {
      model.dataset.against = String(modelWords(item).includes("against"));
      fill(model, el("span", { class: "muted" }, "Model"), ...this._words.chips(classesOf(item.model), "model"),
        el("span", {}, modelWords(item)));
    }
  }

  _actions(item, draft) {
    const said = saidOf(item);
    const approve = $('[data-action="approve"]', this._root);
    approve.disabled = said === null && draft === null && !this._board;
    const words = said === null ? "Nothing to approve" : `Approve ${wordsOf(said)}`;
    setText($(".rv-approve", approve), this._board?.words() ?? (draft === null ? words : `Decide ${wordsOf(draft)}`));
    const skipped = item.state === "skipped";
    const accept = $('[data-action="accept_skip"]', this._root);
    accept.disabled = !skipped;
    setText($(".rv-requeue", this._root), skipped ? "Reject the skip" : "Send back");
  }

  _vote(vote) {
    const voted = votedOf(vote);
    const prelabel = classesOf(vote.prelabel);
    const state = vote.standing ? "" : setAside(vote);
    const facts = [
      new Date(vote.created_at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
      vote.duration_ms ? seconds(vote.duration_ms / 1000) : null,
      vote.page_kind && vote.page_kind !== "manual" ? `${vote.page_kind} page` : null,
    ].filter(Boolean).join(" · ");
    return el("li", { class: "rv-vote", dataset: { standing: String(vote.standing) } },
      el("span", { class: "rv-who", title: vote.labeler }, vote.labeler),
      el("span", { class: "small muted" }, facts),
      el("span", { class: "rv-voted" },
        ...(voted && this._board ? [el("span", { class: "rv-chip plain" }, answerOf(vote))] : voted ? this._words.chips(voted) : [el("span", { class: "rv-chip plain" }, answerOf(vote))])),
      el("span", { class: "rv-tags" },
        prelabel
          ? el("span", { class: "chip-plain", dataset: { kind: "prelabeled" } },
              `saw ${wordsOf(prelabel)}${vote.prelabel_score === null ? "" : ` ${score(vote.prelabel_score)}`}`)
          : null,
        state ? el("span", { class: "chip-plain" }, state) : null));
  }

  /** Similar settled items: `answer` of the REST route, or null while it is asked for. */
  similar(answer) {
    const line = $(".rv-similar", this._root);
    const list = $(".rv-similar-list", line);
    const said = $(".rv-similar-said", line);
    if (answer === null) {
      line.dataset.waiting = "true";
      return;
    }
    line.dataset.waiting = "false";
    const items = answer.items ?? [];
    setText(said, items.length ? summary(items) : (answer.reason ?? "Nothing settled looks like this yet."));
    fill(list, ...items.map((i) => {
      const classes = saidOf(i);
      const label = classes ? wordsOf(classes) : "";
      const node = el("button",
        {
          type: "button", class: "rv-like", tabIndex: -1, title: `${label} · ${i.name}`,
          "aria-label": `${i.name}, ${label}`, onclick: () => this._on.zoomOther(i),
          onmousedown: (e) => e.preventDefault(),
        },
        preview(i), el("span", { class: "rv-like-said" }, label));
      setVars(node, this._words.colorsOf(classes));
      return node;
    }));
  }
}

/** Why a vote does not count. */
function setAside({ taken_back: taken, corrected }) {
  if (taken) return `taken back by ${taken.by}, ${ago(taken.at)}`;
  return corrected ? "corrected" : "set aside";
}

function votesTitle(item) {
  const standing = item.votes.filter((v) => v.standing).length;
  const old = item.votes.length - standing;
  const text = item.votes.length ? plural(standing, "vote") : "No votes";
  return old ? `${text}, ${old} earlier` : text;
}

/** "9 of 12 are cat" */
function summary(items) {
  const counts = new Map();
  for (const item of items) {
    const label = wordsOf(saidOf(item) ?? []);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const [[label, n]] = [...counts].sort((a, b) => b[1] - a[1]);
  return `${n} of ${items.length} are ${label}`;
}
