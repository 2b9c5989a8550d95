"""What is exported can be read back, by anyone's reader."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats.export_coco import coco_json
from chorus.server.formats.export_csv import (
    ITEM_COLUMNS,
    VOTE_COLUMNS,
    cell_text,
    items_csv,
    votes_csv,
)
from chorus.server.formats.rows import ExportRow, VoteRow

CLASSES = ["cat", "dog, hot", '=cmd|"x"', "größe"]

_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
_class = st.sampled_from(CLASSES)
_share = st.floats(0, 1)


@st.composite
def vote_rows(draw: st.DrawFn) -> VoteRow:
    kind = draw(st.sampled_from(["label", "skip", "flag"]))
    return VoteRow(
        vote_id=draw(st.uuids()).hex,
        labeler=draw(_text),
        kind=kind,
        value=draw(_class) if kind == "label" else None,
        created_at=draw(st.integers(0, 2**43)),
        duration_ms=draw(st.none() | st.integers(0, 10**7)),
        page_kind=draw(st.none() | st.sampled_from(["manual", "clustered", "prelabeled"])),
        prelabel=draw(st.none() | _class),
        standing=draw(st.booleans()),
        supersedes=draw(st.none() | st.uuids().map(lambda u: u.hex)),
    )


@st.composite
def export_rows(draw: st.DrawFn) -> list[ExportRow]:
    rows = []
    for item_id in range(draw(st.integers(0, 6))):
        votes = draw(st.lists(vote_rows(), max_size=4))
        label = draw(st.none() | _class)
        rows.append(
            ExportRow(
                item_id=item_id + 1,
                name=draw(_text),
                content_hash=f"{item_id:064x}",
                width=draw(st.integers(1, 9999)),
                height=draw(st.integers(1, 9999)),
                state="unlabeled" if label is None else "labeled",
                label=label,
                provisional=draw(st.none() | _class),
                confidence=draw(st.none() | _share),
                agreement=draw(st.none() | _share),
                vote_count=sum(v.standing and v.kind == "label" for v in votes),
                source=None if label is None else draw(st.sampled_from(["votes", "review"])),
                votes=votes,
            )
        )
    return rows


def table(chunks: Iterator[bytes]) -> list[dict[str, str]]:
    text = b"".join(chunks).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def empty_is_none(cell: str) -> str | None:
    return cell_text(cell) or None


def approximately(value: float | None) -> object:
    return "" if value is None else pytest.approx(value, rel=1e-5, abs=1e-9)


def items_csv_reads_back(rows: list[ExportRow]) -> None:
    read = table(items_csv(rows, CLASSES))
    assert len(read) == len(rows)
    for line, row in zip(read, rows, strict=True):
        assert tuple(line) == ITEM_COLUMNS
        assert cell_text(line["item"]) == row.name
        assert int(line["item_id"]) == row.item_id
        assert empty_is_none(line["label"]) == row.label
        assert empty_is_none(line["provisional"]) == row.provisional
        assert (line["state"], line["source"] or None) == (row.state, row.source)
        assert int(line["votes"]) == row.vote_count
        assert (int(line["width"]), int(line["height"])) == (row.width, row.height)
        assert line["content_hash"] == row.content_hash
        for column in ("confidence", "agreement"):
            cell = line[column]
            assert (float(cell) if cell else "") == approximately(getattr(row, column))
        counts = json.loads(line["label_counts"] or "{}")
        assert sum(counts.values()) == row.vote_count
        assert list(counts) == [name for name in CLASSES if name in counts]


def votes_csv_reads_back(rows: list[ExportRow]) -> None:
    read = table(votes_csv(rows))
    expected = [(row, vote) for row in rows for vote in row.votes]
    assert len(read) == len(expected)
    for line, (row, vote) in zip(read, expected, strict=True):
        assert tuple(line) == VOTE_COLUMNS
        assert (int(line["item_id"]), cell_text(line["item"])) == (row.item_id, row.name)
        assert (line["vote_id"], line["kind"]) == (vote.vote_id, vote.kind)
        assert cell_text(line["labeler"]) == vote.labeler
        assert empty_is_none(line["label"]) == vote.value
        assert empty_is_none(line["prelabel"]) == vote.prelabel
        assert (line["page_kind"] or None, line["supersedes"] or None) == (
            vote.page_kind,
            vote.supersedes,
        )
        assert int(line["created_at"]) == vote.created_at
        assert (int(line["duration_ms"]) if line["duration_ms"] else None) == vote.duration_ms
        assert bool(int(line["standing"])) == vote.standing


def no_cell_is_a_formula(rows: list[ExportRow]) -> None:
    for line in [*table(items_csv(rows, CLASSES)), *table(votes_csv(rows))]:
        assert not [cell for cell in line.values() if cell.startswith(("=", "+", "-", "@", "\t"))]


def coco_reads_back(rows: list[ExportRow]) -> None:
    document = json.loads(b"".join(coco_json(iter(rows), CLASSES, {"name": "Ünïcode"})))
    assert document["info"] == {"name": "Ünïcode"}
    name_of = {entry["id"]: entry["name"] for entry in document["categories"]}
    assert list(name_of.values()) == CLASSES
    images = {entry["id"]: entry for entry in document["images"]}
    assert [entry["file_name"] for entry in images.values()] == [row.name for row in rows]
    labels = {
        entry["image_id"]: (name_of[entry["category_id"]], entry["score"], entry["source"])
        for entry in document["annotations"]
    }
    assert labels == {
        row.item_id: (row.label, row.confidence, row.source) for row in rows if row.label
    }
    votes = [(entry["id"], entry["image_id"]) for entry in document["votes"]]
    assert votes == [(vote.vote_id, row.item_id) for row in rows for vote in row.votes]
    for entry, vote in zip(document["votes"], (v for r in rows for v in r.votes), strict=True):
        assert name_of.get(entry["category_id"]) == vote.value
        assert name_of.get(entry["prelabel_id"]) == vote.prelabel


@given(export_rows())
def test_what_is_written_reads_back(rows: list[ExportRow]) -> None:
    """All formats of the same rows: to draw these takes longest."""
    items_csv_reads_back(rows)
    votes_csv_reads_back(rows)
    no_cell_is_a_formula(rows)
    coco_reads_back(rows)


def many(count: int) -> Iterator[ExportRow]:
    for item_id in range(count):
        vote = VoteRow(
            vote_id=f"{item_id:032x}",
            labeler="ann",
            kind="label",
            value="cat",
            created_at=1_700_000_000_000,
            duration_ms=900,
            page_kind="manual",
            prelabel=None,
            standing=True,
            supersedes=None,
        )
        yield ExportRow(
            item_id=item_id,
            name=f"photos/{item_id:06}.jpg",
            content_hash=f"{item_id:064x}",
            width=256,
            height=256,
            state="labeled",
            label="cat",
            provisional="cat",
            confidence=0.75,
            agreement=1.0,
            vote_count=2,
            source="votes",
            votes=[vote, vote],
        )


@pytest.mark.parametrize(
    "export",
    [
        lambda rows: items_csv(rows, CLASSES),
        votes_csv,
        lambda rows: coco_json(rows, CLASSES, {}),
    ],
    ids=["items.csv", "votes.csv", "coco.json"],
)
def test_memory_does_not_grow_with_the_project(export) -> None:
    def peak_and_size(count: int) -> tuple[int, int]:
        tracemalloc.start()
        try:
            size = sum(len(chunk) for chunk in export(many(count)))
            return tracemalloc.get_traced_memory()[1], size
        finally:
            tracemalloc.stop()

    peak, size = peak_and_size(20_000)
    assert size > 2_000_000
    assert peak < 1_500_000


def test_chunks_are_sent_before_all_rows_are_read() -> None:
    taken = 0

    def rows() -> Iterator[ExportRow]:
        nonlocal taken
        for row in many(100_000):
            taken += 1
            yield row

    next(items_csv(rows(), CLASSES))
    assert taken < 2_000
