"""New items, in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from chorus.server.domain.model import BY_HAND, Item, Project
from chorus.server.formats.images import Fault, Prepared
from chorus.server.services.recording import Delta, settle
from chorus.server.storage.tx import Tx


class Came(NamedTuple):
    """What `add_items` did."""

    added: int
    untaken: list[Fault]
    """What is known already and stays as it is, although another label came with it."""


def add_items(
    tx: Tx,
    project_id: str,
    user_id: str,
    pictures: Iterable[tuple[Prepared, str | None, bool]],
    now: int,
) -> Came:
    """Insert what is new. pictures: (picture or text, canonical label or None, whether the label is
    gold)."""
    project = tx.project(project_id)
    assert project is not None
    delta = Delta()
    added = 0
    labeled: list[Item] = []
    untaken: list[Fault] = []
    gold = 0
    later = [a for a in tx.assignments(project_id) if a.wanted.later and a.state != "ending"]
    for picture, label, is_gold in pictures:
        item = _new_item(project, picture, user_id)
        for a in later:
            if a.wanted.takes(a.number, item.rank, item.name, None):
                item.assigned, item.picked = a.number, not a.wanted.by_chance
                item.chosen = BY_HAND if item.picked else 0
                break
        if label is not None:
            # A label that came with the data counts as decided: nobody is asked again.
            item.review, item.review_value = "decided", label
            item.gold = is_gold
        settle(item, project, now)
        item_id = tx.add_item(item)
        if item_id is None:
            untaken += _untaken(tx, picture, item)
            continue
        item.item_id = item_id
        added += 1
        gold += item.gold
        delta.added(item)
        if label is not None:
            labeled.append(item)
    if added:
        body = {"count": added, "gold": gold, **delta.body()}
        seq = tx.emit(project_id, now, "items.added", body)
        for item in labeled:
            tx.add_review(project_id, item.item_id, user_id, "import", item.review_value, seq, now)
    return Came(added, untaken)


def _untaken(tx: Tx, picture: Prepared, new: Item) -> Iterator[Fault]:
    """Why of `new`, whose content is known already, the label or its being gold was not taken."""
    if new.label is None:
        return
    (item,) = tx.items_by_content(new.project_id, [new.content_hash])
    if item.label != new.label:
        what = "its label was not taken"
    elif new.gold and not item.gold:
        what = "it was not made gold"
    else:
        return
    yield Fault(picture.name, f"in the project already, as {item.name}, and stays so: {what}")


def rank_of(seed: int, content_hash: str) -> int:
    """A random place in the order of work that depends only on the project's seed and the
    content: the same import gives the same order, however it was chunked."""
    digest = hashlib.blake2b(f"{seed}:{content_hash}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def _new_item(project: Project, picture: Prepared, user_id: str) -> Item:
    rank = rank_of(project.seed, picture.content_hash)
    return Item(
        item_id=0, project_id=project.project_id, name=picture.name,
        content_hash=picture.content_hash, width=picture.width, height=picture.height, rank=rank,
        added_by=user_id, state="unlabeled", room=0, n_labels=0, n_skips=0, n_flags=0, n_leases=0,
        n_prelabel_votes=0, reached=False, provisional=None, confidence=None, agreement=None,
        label=None, label_source=None, revision=0, label_at=None, review=None, review_value=None,
        requeue_seq=0, queue="manual", queue_pos=rank, queue_block=0, pre_value=None,
        pre_score=None, model_value=None, model_score=None, odd=None, easy_round=0,
        length=picture.length,
        dicom=None if picture.view is None else msgspec.json.encode(picture.view).decode(),
    )  # fmt: skip
