"""Clusters that turn out mixed lower their queue by themselves.

What is expected of a round's clusters comes from the model; how their pages turn out, from what
people answer there (services/pace.py). The rules are in domain/purity.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import purity
from chorus.server.domain.model import Project
from chorus.server.domain.queue import ROUND_SPAN
from chorus.server.services.round_files import Place
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 1000
"""Items moved in one transaction: a vote waits behind one chunk at most."""
BLOCK = 9
"""Items of a cluster; a page of that size where the project's own says nothing."""


# -- what a round brings


class Served(msgspec.Struct):
    """What a round's clusters are, and which of them are served (part of the round's figures)."""

    blocks: int
    served: int
    expected: float | None
    """The mean share alike expected of a page that is served."""
    corrected: float | None
    """The same of all clusters, corrected by what earlier rounds expected too much or too little;
    None as long as nothing is known of that."""


def choose(
    places: Mapping[int, Place], page_size: int, gap: float | None
) -> tuple[dict[int, Place], Served]:
    """The places of the clusters that are worth serving, of all that a round has made."""
    members: defaultdict[int, list[float]] = defaultdict(list)
    for place in places.values():
        members[place.block].append(1 - place.odd)
    blocks = sorted(members)
    expected = [sum(members[b]) / len(members[b]) for b in blocks]
    good = purity.served(expected, page_size if page_size > 1 else BLOCK, gap)
    kept = {b for b, is_good in zip(blocks, good, strict=True) if is_good}
    shares = [share for share, is_good in zip(expected, good, strict=True) if is_good]
    figures = Served(
        len(blocks),
        len(kept),
        round(sum(shares) / len(shares), 4) if shares else None,
        None if gap is None or not expected else round(sum(expected) / len(expected) + gap, 4),
    )
    return {item: place for item, place in places.items() if place.block in kept}, figures


def gap(tx: Tx, project_id: str) -> float | None:
    """By how much recent rounds expected less than came (see `purity.gap`)."""
    newest = tx.last_done_round(project_id) or 0
    past = []
    for number in range(max(1, newest - purity.MEMORY + 1), newest + 1):
        expected = _expected(tx, project_id, number)
        if expected is not None:
            past.append(purity.Past(expected, _pages(tx, project_id, number)))
    return purity.gap(past)


def _expected(tx: Tx, project_id: str, number: int) -> float | None:
    record = tx.round(project_id, number)
    if record is None:
        return None
    clusters = msgspec.json.decode(record.body).get("clusters")
    return None if clusters is None else clusters["expected"]


def _pages(tx: Tx, project_id: str, number: int) -> dict[tuple[int, int], int]:
    return {(n, alike): k for n, alike, k in tx.turnouts_of(project_id, number)}


# -- what becomes of it


def judge(tx: Tx, project_id: str, now: int) -> bool:
    """Withdraw the newest round's clusters if its pages prove too mixed; whether that happened.

    The decision is part of the round's record; the items follow chunk by chunk (`finish`).
    """
    number = tx.last_done_round(project_id)
    if number is None:
        return False
    pages = _pages(tx, project_id, number)
    if not purity.mixed(pages):
        return False
    record = tx.round(project_id, number)
    found = purity.turnout(pages)
    assert record is not None
    assert found is not None
    body = msgspec.json.decode(record.body)
    if "withdrawn" in body:
        return False
    body["withdrawn"] = {"at": now, "pages": found.pages, "alike": found.alike}
    record.body = msgspec.json.encode(body).decode()
    tx.put_round(record)
    expected = (body.get("clusters") or {}).get("expected")
    told = {"round": body, "number": number, "expected": expected, **msgspec.to_builtins(found)}
    tx.emit(project_id, now, "clusters.withdrawn", told)
    return True


async def finish(store: Store, project_id: str) -> None:
    """Let what is left of withdrawn clusters be labeled by hand. What a stop of the server cuts off
    is done when the project is looked at next."""

    def left(tx: Tx) -> tuple[int, list[int]]:
        number = tx.last_done_round(project_id)
        record = None if number is None else tx.round(project_id, number)
        if record is None or "withdrawn" not in msgspec.json.decode(record.body):
            return 0, []
        return record.number, tx.clustered_items(project_id)

    number, items = await store.read(left)
    for at in range(0, len(items), CHUNK):
        some = items[at : at + CHUNK]
        await store.persist(
            lambda tx, some=some: move(tx, project_id, number, some, now_ms())  # type: ignore[misc]
        )


def move(tx: Tx, project_id: str, number: int, item_ids: list[int], now: int) -> int:
    """The transaction of a chunk. What a newer round has put on its pages meanwhile stays."""
    moved = tx.to_manual(project_id, item_ids, (number + 1) * ROUND_SPAN)
    if moved:
        queue = {"clustered": -moved, "manual": moved}
        tx.emit(project_id, now, "queue.changed", {"round": number, "count": moved, "queue": queue})
    return moved


# -- what is told


def figures(tx: Tx, project_id: str) -> dict[str, Any]:
    """How alike pages turned out: of clusters by round, and by hand to compare with."""
    rounds: defaultdict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    hand: dict[tuple[int, int], int] = {}
    for kind, number, answered, alike, k in tx.turnouts(project_id):
        if kind == "clustered" and number is not None:
            rounds[number][answered, alike] = k
        elif kind == "manual":
            hand[answered, alike] = hand.get((answered, alike), 0) + k
    project = tx.project(project_id)
    assert project is not None
    records = {r.number: msgspec.json.decode(r.body) for r in tx.rounds(project_id)[-SHOWN:]}
    told = []
    for number, body in records.items():
        found = purity.turnout(rounds.get(number, {}))
        made = body.get("clusters")
        if body["state"] != "done" or (found is None and made is None):
            continue
        told.append(
            {
                "round": number,
                "expected": None if made is None else made["expected"],
                "blocks": None if made is None else made["blocks"],
                "served": None if made is None else made["served"],
                "pages": found.pages if found else 0,
                "alike": found.alike if found else None,
                "saved": found.gain if found else None,
                "withdrawn": "withdrawn" in body,
            }
        )
    return {
        "rounds": told,
        "by_hand": msgspec.to_builtins(purity.turnout(hand)),
        "worth_from": round(purity.worth_from(page_items(project)), 4),
        "clusters": _said(project, records),
    }


SHOWN = 100
"""Rounds, the newest."""


def page_items(project: Project) -> int:
    """Items of a clustered page; there are none where a page has one item."""
    return project.page_size if project.page_size > 1 else BLOCK


def _said(project: Project, records: Mapping[int, dict[str, Any]]) -> dict[str, Any] | None:
    """What has become of the newest round's clusters, with one sentence; None: nothing to say."""
    done = [body for body in records.values() if body["state"] == "done"]
    if not done or not project.cluster:
        return None
    body = done[-1]
    number, made, gone = body["number"], body.get("clusters"), body.get("withdrawn")
    size = page_items(project)
    least = f"a page of {size} is worth it from {purity.worth_from(size):.0%}"
    if gone is not None:
        return {
            "state": "paused",
            "note": (
                f"Clusters paused: {gone['pages']} pages of round {number} turned out"
                f" {gone['alike']:.0%} alike, {least}. What was left of them is labeled by hand;"
                " a later round brings them back when it can expect better."
            ),
        }
    if made is None or made["served"] == made["blocks"]:
        return None
    why = (
        f"by what earlier pages turned out, those of round {number} would be"
        f" {made['corrected']:.0%} alike, {least}."
    )
    if made["served"]:
        better = f" The {made['served']} of {made['blocks']} that are better are handed out."
        return {"state": "fewer", "note": f"Fewer clusters: {why}{better}"}
    return {"state": "paused", "note": f"Clusters paused: {why}"}
