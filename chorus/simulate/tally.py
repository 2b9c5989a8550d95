"""What is counted while the simulated people work, and the report made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct, field

from chorus.client.messages import Page, PageItem, RoundStats, Stats
from chorus.simulate.answers import Truth
from chorus.simulate.audit import Integrity
from chorus.simulate.labels import shown_label


class Tally(Struct):
    truth: Truth
    acked: set[str] = field(default_factory=set)
    label_votes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Votes the server refused, by error code (an item closed by others meanwhile)."""
    actions: int = 0
    answered: set[int] = field(default_factory=set)
    """Items with at least one acknowledged answer."""
    pages: Counter[str] = field(default_factory=Counter)
    purity: dict[str, list[float]] = field(default_factory=dict)
    ack_ms: list[float] = field(default_factory=list)
    page_wait_ms: list[float] = field(default_factory=list)
    prelabels_shown: int = 0
    prelabels_correct: int = 0
    by_round: dict[int, list[bool]] = field(default_factory=dict)
    first_after_labels: int | None = None

    def page(self, page: Page, items: Sequence[PageItem], labeled: int) -> None:
        """A person works on this page now, when `labeled` items have a consensus."""
        self.pages[page.kind] += 1
        golds = [g for g in (self.truth.get(item.name) for item in items) if g is not None]
        # A last page with two items says nothing about how alike neighbours are.
        if len(golds) == page.size > 1:
            share = Counter(golds).most_common(1)[0][1] / len(golds)
            self.purity.setdefault(page.kind, []).append(share)
        for item in items:
            if item.prelabel is None:
                continue
            if self.first_after_labels is None:
                self.first_after_labels = labeled
            gold = self.truth.get(item.name)
            if gold is None:
                continue
            right = shown_label(item.prelabel) == gold
            self.prelabels_shown += 1
            self.prelabels_correct += right
            if page.round is not None:
                self.by_round.setdefault(page.round, []).append(right)


def report(
    tally: Tally,
    stats: Stats,
    integrity: Integrity,
    accuracy: tuple[float | None, float | None],
    *,
    tags_f1: float | None,
    second_looks: dict[str, int],
    majority_accuracy: float | None,
    labelers: list[dict[str, Any]],
    lockstep: bool,
    seconds: float,
    server_rss_mb: float | None,
    settings: dict[str, object],
    version: str,
) -> dict[str, Any]:
    """report.json as SIMULATE.md has it; a figure that does not apply is None.

    `rounds[].real_accuracy` is the accuracy, against gold, of the prelabels people were shown on
    pages of that round: all that a browser can see of the items above the threshold. A prelabel
    stays through later rounds, so a page of round 5 may show what round 3 said first.
    Beyond it: `accuracy_majority`, what the same votes are worth when all count the same (over
    items with votes), `labelers`, by person, and of label sets `accuracy_tags`, the micro-averaged
    F1 of the classes of labeled items (`accuracy` is of whole sets), and `second_looks`, the
    items that others were asked about, and those whose label that changed.
    `page_wait_ms` is None in lockstep, where people wait for the model on purpose.
    """
    counts = stats.counts
    return {
        "items": counts.items,
        "labeled": counts.labeled,
        "needs_review": counts.needs_review,
        "skipped": counts.skipped,
        "accuracy": _round(accuracy[0]),
        "accuracy_all": _round(accuracy[1]),
        "votes": integrity.standing_labels,
        "votes_per_item": _round(_ratio(integrity.standing_labels, counts.items)),
        "over_votes": integrity.over,
        "acked_votes": len(tally.acked),
        "stored_votes": integrity.stored,
        "lost_votes": integrity.lost,
        "duplicate_votes": integrity.duplicate,
        "actions": tally.actions,
        "actions_per_item": _round(_ratio(tally.actions, len(tally.answered))),
        "pages": {kind: tally.pages[kind] for kind in ("manual", "clustered", "prelabeled")},
        "cluster_purity": _mean(tally.purity.get("clustered")),
        "manual_purity": _mean(tally.purity.get("manual")),
        "prelabels": {
            "shown": tally.prelabels_shown,
            "correct": tally.prelabels_correct,
            "accuracy": _round(_ratio(tally.prelabels_correct, tally.prelabels_shown)),
            "first_after_labels": tally.first_after_labels,
        },
        "rounds": [_one_round(r, tally.by_round.get(r.number)) for r in stats.assist.rounds],
        "ack_ms": _times(tally.ack_ms),
        "page_wait_ms": _waits([] if lockstep else tally.page_wait_ms),
        "seconds": round(seconds, 2),
        "server_rss_mb": _round(server_rss_mb, 1),
        "settings": settings,
        "version": version,
        "accuracy_majority": _round(majority_accuracy),
        "labelers": labelers,
        "accuracy_tags": _round(tags_f1),
        "second_looks": second_looks,
    }


def _one_round(record: RoundStats, shown: list[bool] | None) -> dict[str, Any]:
    return {
        "labels": record.labels,
        "seconds": _round(record.seconds, 2),
        "model_accuracy": _round(record.model_accuracy),
        "threshold": _round(record.threshold),
        "lower_bound": _round(record.lower_bound),
        "coverage": _round(record.coverage),
        "real_accuracy": _mean(shown),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _round(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def _mean(values: Sequence[float] | None) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _times(ms: Sequence[float]) -> dict[str, float | None]:
    if not ms:
        return {"p50": None, "p99": None, "max": None}
    p50, p99 = np.percentile(ms, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(max(ms), 2)}


def _waits(ms: Sequence[float]) -> dict[str, float | None]:
    times = _times(ms)
    share = sum(m == 0 for m in ms) / len(ms) if ms else None
    return {"p50": times["p50"], "p99": times["p99"], "zero_share": _round(share)}
