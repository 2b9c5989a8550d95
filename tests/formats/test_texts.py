"""Text files: what is one, and how it is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats import texts
from chorus.server.formats.blobfiles import blob_path
from chorus.server.formats.images import Fault, Prepared
from chorus.server.storage.blobs import BlobStore


def prepare(folder: Path, content: bytes) -> Prepared | Fault:
    path = folder / "a.txt"
    path.write_bytes(content)
    (answer,) = texts.prepare_texts([("a.txt", str(path))], str(folder / "blobs"))
    return answer


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, text: str
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    answer = prepare(folder, text.encode(encoding))
    # A byte order mark at the very beginning is no part of the text.
    text = text.removeprefix("\ufeff") if encoding == "utf-8" else text
    if not text.strip():
        assert answer == Fault("a.txt", "there is no text in it")
        return
    assert isinstance(answer, Prepared)
    data = blob_path(folder / "blobs", answer.content_hash, "o").read_bytes()
    assert texts.read(data) == [("", text)]
    assert answer.length == len(text)
    assert answer.content_hash == hashlib.sha256(data).hexdigest()
    assert (answer.width, answer.height, answer.bytes) == (0, 0, len(data))
    blobs = BlobStore(folder / "blobs")
    assert blobs.media_type(blobs.path(answer.content_hash, "s")) == "application/json"


def test_line_ends_make_no_other_text(tmp_path: Path) -> None:
    answers = [prepare(tmp_path, b"a" + end + b"b") for end in (b"\n", b"\r\n", b"\r")]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no text"),
        (b" \n\t", "no text"),
        (b"abc\n\xe4\n", "line 2 is not UTF-8; save the file as UTF-8"),
        (b"\0\1\2", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "NUL"),
        (b"\xff\xfeabc", "line 1 is not UTF-16"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
        (b"x" * 1_000_001, "1.0 MB; the limit is 1 MB"),
        (b"x" * 3_000_000, "3.0 MB; the limit is 1 MB"),
    ],
)
def test_what_is_no_text_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    answer = prepare(tmp_path, content)
    assert isinstance(answer, Fault)
    assert words in answer.reason
    assert not list((tmp_path / "blobs").glob("??"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    answers = texts.prepare_texts([("x", str(tmp_path / "x")), ("y", str(tmp_path))], str(tmp_path))
    assert answers[0] == Fault("x", "no such file")
    assert isinstance(answers[1], Fault)
