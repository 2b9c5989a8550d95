"""Tables of pictures, as people write them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats.export_csv import items_csv
from chorus.server.formats.rows import ExportRow
from chorus.server.formats.tables import BadTable, TableRow, read_table


def rows(tmp_path: Path, content: str | bytes, name: str = "list.csv") -> list[TableRow]:
    table = tmp_path / name
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_table(table))


@pytest.mark.parametrize("column", ["path", "item", "file", "filename", "image", "name", " Path "])
@pytest.mark.parametrize("label", ["label", "class", "category", "Label"])
def test_column_names(tmp_path: Path, column: str, label: str) -> None:
    (row,) = rows(tmp_path, f"{label},other,{column}\ncat,1,a.jpg\n")
    assert row == TableRow("a.jpg", str(tmp_path / "a.jpg"), "cat")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_separators_line_ends_and_byte_order_marks(
    tmp_path: Path, separator: str, line_end: str, mark: bytes
) -> None:
    lines = [["item", "label"], ["a b.jpg", "größe"], ["c.jpg", ""]]
    text = line_end.join(separator.join(line) for line in lines)
    for data in (mark + text.encode(), text.encode("utf-16")):
        found = rows(tmp_path, data)
        assert [(row.name, row.label) for row in found] == [("a b.jpg", "größe"), ("c.jpg", None)]


def test_without_labels(tmp_path: Path) -> None:
    assert [row.label for row in rows(tmp_path, "path\na.jpg\nb.jpg\n")] == [None, None]


def test_paths(tmp_path: Path) -> None:
    found = rows(tmp_path, "path\n./a.jpg\nsub\\b.jpg\n/abs/c.jpg\n\n , \n\nd.jpg\n")
    assert [row.name for row in found] == ["a.jpg", "sub/b.jpg", "/abs/c.jpg", "d.jpg"]
    assert [row.path for row in found][1:3] == [str(tmp_path / "sub/b.jpg"), "/abs/c.jpg"]


def test_relative_paths_lie_below_base(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path\na.jpg\n")
    assert [row.path for row in read_table(table, Path("/srv/photos"))] == ["/srv/photos/a.jpg"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"photo,label\na.jpg,cat\n", "no column with paths: one of path, .*has photo, label"),
        (b"a.jpg\nb.jpg\n", "no column with paths"),
        (b"path,label\na.jpg,cat\n,dog\n", "line 3 has no path"),
        (b"path\na.jpg\n\xff\xfe\n", "line 3: not UTF-8"),
        (b"\xff\xfep\0a\0t\0h\0\n\0\0\xdc\n\0", "not UTF-16"),
        (b"\xff\xfe\0\0p\0\0\0", "it is UTF-32"),
        (b'path\na.jpg\n"b.jpg\n', "line 3: "),
        (b"path,label\na.jpg,cat,,\nb.jpg,cat, big\n", "line 3 has 3 cells, .* 2"),
        (b'"path', "line 1: "),
    ],
)
def test_a_bad_table_says_what_and_where(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(BadTable, match=words):
        rows(tmp_path, content)


def test_a_table_without_its_columns_is_refused_before_the_first_row(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("photo\n")
    with pytest.raises(BadTable):
        read_table(table)
    with pytest.raises(BadTable, match="cannot be read"):
        read_table(tmp_path / "gone.csv")


_names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\/"), min_size=1, max_size=9
).filter(lambda name: name.strip() == name and name not in (".", ".."))


@given(st.lists(st.tuples(_names, st.none() | _names), max_size=20))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str | None]]
) -> None:
    table = tmp_path_factory.mktemp("tables") / "list.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows((name, label or "") for name, label in lines)
    assert [(row.name, row.label) for row in read_table(table)] == lines


def test_our_own_items_are_a_table(tmp_path: Path) -> None:
    """With their marks against formulas taken off, and drawings of any length."""
    drawn = json.dumps({"boxes": [{"class": "a", "box": [1, 2, 3, 4]}] * 5000})
    common = dict(  # noqa: C408
        width=8, height=8, state="labeled", provisional=None, confidence=None, agreement=None,
        vote_count=0, source="review", votes=[],
    )  # fmt: skip
    items = [
        ExportRow(item_id=n, name=name, content_hash="0" * 64, label=label, gold=True, **common)
        for n, (name, label) in enumerate([("-1.jpg", "+"), ("@a/'=b.jpg", "cat"), ("c.jpg", None)])
    ]
    content = b"".join(items_csv(items, ["+", "cat"])).replace(b"c.jpg,2,labeled,", b"%b")
    cell = '"' + drawn.replace('"', '""') + '"'
    content = content.replace(b"%b", b"c.jpg,2,labeled," + cell.encode())
    found = rows(tmp_path, content)
    assert [row.name for row in found] == ["-1.jpg", "@a/'=b.jpg", "c.jpg"]
    assert [row.label for row in found] == ["+", "cat", drawn]
    assert all(row.gold for row in found)
