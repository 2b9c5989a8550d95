"""The next page for one person: which items, leased in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice, product
from typing import Any

import msgspec

from chorus.server.domain.assignment import tiers
from chorus.server.domain.model import Item, Lease, PageKind, Project
from chorus.server.domain.queue import ORDER, ROUND_SPAN, floor_key
from chorus.server.domain.values import Schema
from chorus.server.services import checking, practising
from chorus.server.services.labeling import media
from chorus.server.services.recording import Before, Delta, lease_changed, settle
from chorus.server.services.remerging import remerge
from chorus.server.storage.tx import Tx


class Floors:
    """Where a person's scan of each queue may start: everything before is taken or done.

    Only a hint, kept in memory: a scan that comes up short starts over from the head. Keys:
    `floor_key`.
    """

    def __init__(self) -> None:
        self._floors: dict[tuple[str, str], dict[str, int]] = {}

    def get(self, project_id: str, user_id: str) -> dict[str, int]:
        return self._floors.setdefault((project_id, user_id), {})

    def reopened(self, project_id: str, entries: list[list[Any]]) -> None:
        for (project, _), floors in self._floors.items():
            if project == project_id:
                for queue, pos in entries:
                    # In whichever assignment it is.
                    # Copied at once: on its thread the writer may be adding one.
                    for key, floor in list(floors.items()):
                        if key.partition(" ")[0] == queue and floor > pos:
                            floors[key] = pos

    def reset(self, project_id: str) -> None:
        for (project, _), floors in self._floors.items():
            if project == project_id:
                floors.clear()


class Dealt(msgspec.Struct):
    """Outcome of a deal: a page, or why there is none."""

    page: dict[str, Any] | None = None
    reason: str | None = None


def deal(
    tx: Tx, project_id: str, user_id: str, tab: str, size: int, floors: dict[str, int], now: int,
    not_yet: Collection[int] = (),
) -> Dealt:  # fmt: skip
    """Lease the next page of up to `size` items; of `not_yet` only if there is nothing else."""
    project = tx.project(project_id)
    assert project is not None
    if project.state != "running":
        return Dealt(reason="paused")
    if tx.member_paused(project_id, user_id):
        return Dealt(reason="stopped")
    if (practice := _practice(tx, project, user_id, tab, size, now)) is not None:
        return practice
    avoided: tuple[Collection[int], ...] = (not_yet, ()) if not_yet else ((),)
    urgency = (True, False) if tx.has_urgent(project_id) else (False,)
    whose = tiers(tx.pools(project_id, user_id))
    if True not in urgency and (again := _second_looks(tx, project, user_id, size, whose, not_yet)):
        return Dealt(_open(tx, project, user_id, tab, size, "manual", None, again, (), now))
    for avoid, urgent, tier, queue in product(avoided, urgency, range(len(whose)), ORDER):
        more = [pool for later in whose[tier + 1 :] for pool in later]
        items = _head(
            tx, project, queue, user_id, size, floors, urgent, avoid, whose[tier], more
        )  # fmt: skip
        items = _still(tx, project, items, now)
        if not items:
            continue
        kind = _kind(project, queue, size, items)
        round_number = _round(queue, items[0])
        items, checked = checking.with_checks(tx, project, user_id, kind, size, items)
        if checked and kind != "manual":
            # A page of checks alone looks like the ones that are no model's work.
            kind, round_number = "manual", None
        # What came first, or was passed over, says nothing of how far the queue is done.
        taken = [] if avoid else [i for i in items if not (i.item_id in checked or i.priority)]
        for item in taken:
            floors[floor_key(queue, item.assigned)] = item.queue_pos + 1
        return Dealt(
            _open(tx, project, user_id, tab, size, kind, round_number, items, checked, now)
        )
    if not tx.has_items(project_id):
        return Dealt(reason="no_items")
    left = any(tx.open_for(project_id, user_id, pool) for tier in whose for pool in tier)
    return Dealt(reason="waiting" if left else "done")


def _second_looks(
    tx: Tx, project: Project, user_id: str, size: int, whose: Sequence[Sequence[int]],
    not_yet: Collection[int],
) -> list[Item]:  # fmt: skip
    """A page of nothing else, before all usual work: the next round is the better for it. Fewer
    than half a page come once there is nothing better to fill one with."""
    if (
        not project.second_look
        or project.remerge_due
        or not tx.has_second_looks(project.project_id)
    ):
        return []
    for pool in (pool for tier in whose for pool in tier):
        found = tx.second_looks(project.project_id, user_id, size + len(not_yet), pool)
        items = [i for i in found if i.item_id not in not_yet][:size]
        if 2 * len(items) >= size:
            return items
    return []


def _still(tx: Tx, project: Project, items: list[Item], now: int) -> list[Item]:
    """Those of the items that are to be handed out by the newest rules, too, where these have not
    reached every item yet."""
    if not project.remerge_due or not items:
        return items
    remerge(tx, project.project_id, [item.item_id for item in items], now)
    found = {item.item_id: item for item in tx.items_by_id([item.item_id for item in items])}
    pairs = [(item, found[item.item_id]) for item in items]
    return [
        new
        for old, new in pairs
        if new.room > 0 and (new.queue, new.queue_pos) == (old.queue, old.queue_pos)
    ]


def _practice(
    tx: Tx, project: Project, user_id: str, tab: str, size: int, now: int
) -> Dealt | None:
    """A practice page, or that one in hand comes first; None: no practice is due."""
    found = practising.due(tx, project, user_id, now)
    if found is None:
        return None
    _, items, held = found
    if not items:
        return Dealt(reason="practice" if held else None)
    items = items[:size]
    checks = {item.item_id for item in items}
    page = _open(tx, project, user_id, tab, size, "practice", None, items, checks, now)
    page["practice"] = practising.place(tx, project, user_id, page["page_id"])
    return Dealt(page)


def _open(
    tx: Tx, project: Project, user_id: str, tab: str, size: int, kind: PageKind,
    round_number: int | None, items: Sequence[Item], checks: Collection[int], now: int,
) -> dict[str, Any]:  # fmt: skip
    """Hand items out on a page of their own; the page as it is pushed. checks: see `_leases`."""
    page_id = tx.add_page(project.project_id, user_id, tab, kind, size, round_number, now)
    delta = Delta()
    leased = _leases(tx, project, items, user_id, tab, page_id, kind, delta, now, checks=checks)
    _tell_opened(tx, project.project_id, user_id, page_id, kind, items, delta, now)
    schema = tx.schema(project)
    shown = [
        page_item(item, lease, schema, None) for item, lease in zip(items, leased, strict=True)
    ]
    return _page(page_id, kind, size, round_number, now + project.lease_ms, shown)


def _tell_opened(
    tx: Tx, project_id: str, user_id: str, page_id: int, kind: PageKind, items: Sequence[Item],
    delta: Delta, now: int,
) -> None:  # fmt: skip
    body = {
        "page_id": page_id,
        "user_id": user_id,
        "kind": kind,
        "item_ids": [item.item_id for item in items],
        **delta.body(),
    }
    tx.emit(project_id, now, "page.opened", body)


def _page(
    page_id: int, kind: str, size: int, round_number: int | None, expires_at: int,
    items: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    return {
        "page_id": page_id,
        "kind": kind,
        "size": size,
        "round": round_number,
        "expires_at": expires_at,
        "items": items,
    }


def _round(queue: PageKind, first: Item) -> int | None:
    """The round by which a page lies where it does, by its first item; None: by none."""
    if queue == "manual" or first.shows_preset:
        return None
    return first.queue_pos // ROUND_SPAN


def _kind(project: Project, queue: PageKind, size: int, items: Sequence[Item]) -> PageKind:
    if queue == "prelabeled" and any(_shows(project, item) for item in items):
        return "prelabeled"
    if queue == "clustered" and project.cluster and size > 1:
        return "clustered"
    return "manual"


def _shows(project: Project, item: Item) -> bool:
    """May a person see the answer that waits on an item? The model's if the project wants it and
    does not audit it; always a preset one."""
    # An audited item is answered without knowing what the model says.
    return item.shows_preset or (project.prelabel and not item.audit)


def _head(
    tx: Tx, project: Project, queue: PageKind, user_id: str, size: int, floors: dict[str, int],
    urgent: bool, avoid: Collection[int], pools: Sequence[int], more: Sequence[int],
) -> list[Item]:  # fmt: skip
    """Up to `size` items from the head of one queue, of the first of the assignments `pools` that
    has any; a clustered page keeps to one block. urgent: only what a supervisor wants first. By
    hand the page is filled with what is not, and from the other pools, then `more`."""
    # A block may be interrupted by items others hold, so look a little beyond the page.
    want = (size * 2 if queue == "clustered" else size) + len(avoid)
    items: list[Item] = []
    for pool in pools:
        found = _scan(tx, project, queue, pool, user_id, size, floors, urgent, want)
        items = [i for i in found if i.item_id not in avoid]
        if items:
            break
    if items and queue == "manual" and (urgent or more or len(pools) > 1):
        for pool in (*pools, *more):
            if len(items) >= size:
                break
            beyond = want + len(items)
            others = _scan(tx, project, queue, pool, user_id, size, floors, False, beyond)
            known = {*avoid, *(i.item_id for i in items)}
            items += [i for i in others if i.item_id not in known]
    if queue == "clustered" and items:
        block = [i for i in items if i.queue_block == items[0].queue_block]
        if len(block) * 2 >= size:
            items = block
    return items[:size]


def _scan(
    tx: Tx, project: Project, queue: PageKind, pool: int, user_id: str, size: int,
    floors: dict[str, int], urgent: bool, want: int,
) -> list[Item]:  # fmt: skip
    """From a person's floor on, or from the head where that brings less than a page."""
    floor = 0 if urgent else floors.get(floor_key(queue, pool), 0)
    items = tx.next_items(project.project_id, queue, user_id, floor, want, urgent, pool)
    if len(items) < size and floor > 0:
        items = tx.next_items(project.project_id, queue, user_id, 0, want, assigned=pool)
    return items


def _leases(
    tx: Tx, project: Project, items: Sequence[Item], user_id: str, tab: str, page_id: int,
    kind: PageKind, delta: Delta, now: int, *, checks: Collection[int] = (), pos: int = 0,
) -> list[Lease]:  # fmt: skip
    """Hand items out, on a page from `pos` on. checks: item_ids of those that do not know of it."""
    leases = []
    for n, item in enumerate(items):
        prelabeled = kind == "prelabeled" and _shows(project, item)
        lease = Lease(
            lease_id=0,
            project_id=project.project_id,
            item_id=item.item_id,
            user_id=user_id,
            tab=tab,
            page_id=page_id,
            pos=pos + n,
            prelabel=item.pre_value if prelabeled else None,
            prelabel_score=item.pre_score if prelabeled else None,
            odd=item.odd if kind == "clustered" else None,
            granted_at=now,
            expires_at=now + project.lease_ms,
            released_at=None,
            release_reason=None,
            blind_check=item.item_id in checks,
        )
        leases.append(lease)
    tx.add_leases(leases)
    for item in items:
        if item.item_id not in checks:
            before = Before.of(item)
            item.n_leases += 1
            settle(item, project, now)
            lease_changed(tx, item, before, delta)
    return leases


def replace(
    tx: Tx, project_id: str, user_id: str, tab: str, page_id: int, closed_item: int, now: int,
    not_yet: Collection[int] = (),
) -> dict[str, Any] | None:  # fmt: skip
    """One more item for a manual page that lost `closed_item`; None where it just shrinks.

    Clustered and prelabeled pages shrink: a stranger among alike items would cost more than
    it brings. So does one with nothing else left to answer: its holder is about to have another.
    And one for which there are only items of `not_yet`: what is left on it comes before those.
    """
    project = tx.project(project_id)
    page = tx.page(page_id)
    assert project is not None
    if project.state != "running" or page is None or page[0] != "manual":
        return None
    leases = tx.leases_of_page(page_id)
    if all(lease.released_at is not None for lease in leases):
        return None
    pools = [pool for tier in tiers(tx.pools(project_id, user_id)) for pool in tier]
    want = 1 + len(not_yet)
    heads = (tx.next_items(project_id, "manual", user_id, 0, want, assigned=pool) for pool in pools)
    others = (item for head in heads for item in head if item.item_id not in not_yet)
    items = _still(tx, project, list(islice(others, 1)), now)
    if not items:
        return None
    pos = next((x.pos for x in leases if x.item_id == closed_item), 0)
    delta = Delta()
    (lease,) = _leases(
        tx, project, items, user_id, tab, page_id, "manual", delta, now, pos=pos
    )  # fmt: skip
    _tell_opened(tx, project_id, user_id, page_id, "manual", items, delta, now)
    return page_item(items[0], lease, tx.schema(project), None)


def held_pages(tx: Tx, project: Project, user_id: str, tab: str) -> list[dict[str, Any]]:
    """The pages a tab still holds, with the answers already given on them."""
    schema = tx.schema(project)
    pages = []
    for page_id in sorted(
        {lease.page_id for lease in tx.leases_of_tab(project.project_id, user_id, tab)}
    ):
        kind, size, round_number = tx.page(page_id) or ("manual", project.page_size, None)
        items = []
        expires_at = 0
        for lease in tx.leases_of_page(page_id):
            if lease.release_reason not in (None, "voted", "skipped"):
                continue
            item = tx.item(lease.item_id)
            assert item is not None
            expires_at = max(expires_at, lease.expires_at)
            given = _answer(tx, lease, kind, schema)
            items.append(page_item(item, lease, schema, given))
        pages.append(_page(page_id, kind, size, round_number, expires_at, items))
        if kind == "practice":
            pages[-1]["practice"] = practising.place(tx, project, user_id, page_id)
    return pages


def _answer(tx: Tx, lease: Lease, kind: str, schema: Schema) -> dict[str, Any] | None:
    """What the holder has answered on the page of `lease`, so far."""
    if kind == "practice":
        found = tx.practice_given(lease.item_id, lease.user_id, lease.page_id)
    elif lease.blind_check:
        found = tx.check_answer(lease.item_id, lease.user_id, lease.page_id)
    else:
        votes = tx.standing(lease.item_id)
        mine = (v for v in votes if v.user_id == lease.user_id)
        found = next(((v.vote_id, v.kind, v.value) for v in mine), None)
    if found is None:
        return None
    vote_id, said, value = found
    return {"vote_id": vote_id, "kind": said, "value": schema.to_wire(value)}


def page_item(
    item: Item, lease: Lease, schema: Schema, vote: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        **media(item),
        "lease_id": lease.lease_id,
        "prelabel": None
        if (shown := schema.to_wire(lease.prelabel)) is None
        else {**shown, "score": lease.prelabel_score},
        "odd": lease.odd,
        "vote": vote,
    }
