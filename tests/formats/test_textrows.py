"""Tables of texts as people and programs write them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.formats import textrows, texts
from chorus.server.formats.blobfiles import blob_path
from chorus.server.formats.images import Fault, Prepared
from chorus.server.formats.tables import BadTable
from chorus.server.formats.textrows import Row


def rows(
    folder: Path, content: str | bytes, name: str = "t.csv", columns: list[str] | None = None
) -> list[Row]:
    table = folder / name
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(folder, table, columns)


def read(folder: Path, table: Path, columns: list[str] | None = None) -> list[Row]:
    plan = textrows.scan(str(table), table.name, columns, str(folder / "scratch"))
    found: list[Row] = []
    for stretch in plan.stretches:
        part = textrows.prepare_rows(plan.table, stretch, 0, stretch.rows, str(folder / "blobs"))
        assert len(part) == stretch.rows
        found += part
    return found


def fields(folder: Path, row: Row) -> list[tuple[str, str]]:
    assert isinstance(row.answer, Prepared), row.answer
    return texts.read(blob_path(folder / "blobs", row.answer.content_hash, "o").read_bytes())


def reason(row: Row) -> str:
    assert isinstance(row.answer, Fault)
    return row.answer.reason


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=60)
@given(
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    separator=st.sampled_from([",", "\t", ";"]),
    lines=st.lists(st.tuples(_text, _text, _text), min_size=1, max_size=12),
)
def test_whatever_csv_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    ends: str,
    quoting: Any,
    separator: str,
    lines: list[tuple[str, str, str]],
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = folder / "t.csv"
    if quoting == csv.QUOTE_MINIMAL:
        # Python's writer leaves line ends of another kind than its own unquoted, which nobody can
        # tell from the end of a row.
        other = "\n" if ends == "\r" else "\r" if ends == "\n" else "\0"
        lines = [tuple(cell.replace(other, " ") for cell in line) for line in lines]  # type: ignore[misc]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=ends, quoting=quoting)
        writer.writerow(["id", "title", "body"])
        writer.writerows(lines)
    # A line of nothing but white space is no row.
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    try:
        found = read(folder, table)
    except BadTable as error:
        assert str(error) == "there are no rows in it"
        assert not lines
        return
    assert len(found) == len(lines)
    for row, (name, *cells) in zip(found, lines, strict=True):
        kept = [
            (column, cell.replace("\r\n", "\n").replace("\r", "\n"))
            for column, cell in zip(("title", "body"), cells, strict=True)
            if cell.strip()
        ]
        if not kept:
            assert reason(row) == "there is no text in it"
            continue
        assert fields(folder, row) == kept
        if name.strip():
            assert row.name == " ".join(name.split())
        else:
            assert row.name.startswith("t.csv, line ")


@settings(max_examples=60)
@given(
    lines=st.lists(st.dictionaries(_text.filter(str.strip), _text | st.integers(), min_size=1)),
    chosen=_text.filter(str.strip),
)
def test_whatever_json_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, str | int]], chosen: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = folder / "t.jsonl"
    lines = [{**line, chosen: f"text {n}"} for n, line in enumerate(lines)] or [{chosen: "text"}]
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for row, line in zip(read(folder, table, [chosen]), lines, strict=True):
        if isinstance(row.answer, Fault):  # a column that happens to be called `gold`
            assert any(key.lower() == "gold" for key in line)
        else:
            assert fields(folder, row) == [(chosen, line[chosen])]


def test_long_tables_are_cut_into_stretches_that_fit_together(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for n in range(1000):
            writer.writerow([n, f'row {n}\n"in two lines"' if n % 3 else f"row {n}"])
    plan = textrows.scan(str(table), "t.csv", None, str(tmp_path))
    assert plan.rows == 1000
    assert len(plan.stretches) == 8
    found = read(tmp_path, table)
    assert [row.name for row in found] == [str(n) for n in range(1000)]
    part = textrows.prepare_rows(plan.table, plan.stretches[3], 5, 2, str(tmp_path / "blobs"))
    assert [row.name for row in part] == [found[128 * 3 + n].name for n in (5, 6)]
    with table.open("a") as file:
        file.write("1000,more\n")
    with pytest.raises(BadTable, match="changed during the import"):
        textrows.prepare_rows(plan.table, plan.stretches[0], 0, 1, str(tmp_path / "blobs"))


def test_columns(tmp_path: Path) -> None:
    text = "Name,Label,title,gold,body\nx,cat,T,yes,B\ny,,T2,,B2\n"
    first, second = rows(tmp_path, text)
    assert (first.name, first.label, first.gold) == ("x", "cat", True)
    assert (second.name, second.label, second.gold) == ("y", None, False)
    assert fields(tmp_path, first) == [("title", "T"), ("body", "B")]
    chosen = rows(tmp_path, text, columns=["body", "label"])
    assert fields(tmp_path, chosen[0]) == [("body", "B"), ("Label", "cat")]
    assert chosen[0].label is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_encodings(tmp_path: Path, encoding: str, name: str) -> None:
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    (row,) = rows(tmp_path, f"{mark}id\ttext\n1\tgrün, 汉字 🙂\n".encode(encoding), name)
    assert fields(tmp_path, row) == [("text", "grün, 汉字 🙂")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,", "no text"),
        ("1,a,b,c", "it has 4 cells, and the first line 3"),
        ("1,a\0b", "NUL"),
        ("1,a,maybe", "gold must be one of"),
        ("\0,a", "its name holds NUL"),
        ("1," + "é" * 500_001, r"1\.0 MB; the limit is 1 MB"),
        ("1," + "x" * 2_000_000, r"2\.0 MB; the limit is 1 MB"),
    ],
)
def test_a_bad_row_is_a_fault_and_the_others_go_in(tmp_path: Path, line: str, words: str) -> None:
    first, bad, last = rows(tmp_path, f"id,text,gold\n0,fine\n{line}\n2,fine too\n")
    assert fields(tmp_path, first) == [("text", "fine")]
    assert fields(tmp_path, last) == [("text", "fine too")]
    assert isinstance(bad.answer, Fault)
    assert bad.answer.name == "t.csv, line 3"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(bad.answer.reason)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"id,text\n", "no rows"),
        (b"id,label\n1,cat\n", "no column with text is left .* has id, label"),
        (b'id,text\n1,x\n2,"open\n3,y\n', "line 3: a quote is never closed"),
        (b'id,text\n1,x\n2,"a"b\n', "line 3: "),
        (b"id,text\n1,x\n2,\xe4\n", "line 3 is not UTF-8"),
        (b"id,text\n1," + b"x" * 4_000_001, "line 2 is longer than 4 MB"),
        (b'id,text\n1,"' + b"x\n" * 2_100_000 + b'"\n', "line 2: .*a cell has more than 4 MB"),
        (b"\xff\xfe\0\0i\0\0\0", "UTF-32"),
        (b"\xff\xfeabc", "not UTF-16"),
    ],
)
def test_a_bad_table_says_what_and_where(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(BadTable, match=words):
        rows(tmp_path, content)


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"id": 7, "title": "T", "n": 1.5, "tags": ["a"], "none": null, "label": "cat"}',
        "",
        '{"text": "x", "label": ["a", "b"], "gold": true}',
        "[1]",
        '{"text": "\\ud800"}',
        '{"other": ""}',
    ]
    found = rows(tmp_path, "\n".join(lines), "t.jsonl")
    assert fields(tmp_path, found[0]) == [("title", "T"), ("n", "1.5"), ("tags", '["a"]')]
    assert (found[0].name, found[0].label) == ("7", "cat")
    assert (found[1].name, found[1].label, found[1].gold) == ("t.jsonl, line 3", ["a", "b"], True)
    assert "no JSON object" in reason(found[2])
    assert isinstance(found[3].answer, Fault)
    assert reason(found[4]) == "there is no text in it"
    with pytest.raises(BadTable, match="line 1: it is no JSON object"):
        rows(tmp_path, "text\n", "u.jsonl")


def test_tables_that_list_files(tmp_path: Path) -> None:
    for header, lists in (
        ("path,label", True),
        ("Filename;class;gold", True),
        ("path,text", False),
        ("id,text", False),
        ("name,label", False),
    ):
        table = tmp_path / "t.csv"
        table.write_text(header + "\n")
        assert textrows.lists_files(table) == lists
