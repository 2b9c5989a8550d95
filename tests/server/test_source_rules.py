"""The rules of data sources, by property: what listings and readings make of what is known."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain import sources
from chorus.server.domain.sources import Found, ObjectRow, address_of, due_at, is_due
from chorus.server.storage.cache import Cache
from chorus.server.storage.guard import Guard, Refused
from chorus.server.storage.remote import Folder, Trouble
from chorus.server.storage.vault import Unreadable, Vault

NAMES = st.sampled_from("abc")
CONTENT = st.sampled_from(["cat", "dog"])
WORLD = st.dictionaries(NAMES, CONTENT)


@given(st.lists(st.tuples(WORLD, st.integers(0, 3)), min_size=1, max_size=8))
def test_what_is_known_converges_on_what_is_there(
    history: list[tuple[dict[str, str], int]],
) -> None:
    """However often a place changes, and wherever refreshes are cut off: what came in once is
    never forgotten nor replaced, and a whole refresh knows exactly what is there now."""
    kept: dict[str, ObjectRow] = {}
    came_in: dict[str, str] = {}

    def refresh(world: dict[str, str], most: int) -> None:
        for name, content in world.items():
            row = sources.seen(kept.get(name), Found(name, 1, f"version of {content}"))
            if row is not None:
                kept[name] = row
        for name in set(kept) - set(world):
            row = sources.missed(kept[name])
            if row is None:
                del kept[name]
            else:
                kept[name] = row
        for row in [r for r in kept.values() if r.state == "new"][:most]:
            kept[row.name] = sources.read(row, world[row.name])
            came_in.setdefault(row.name, world[row.name])

    for world, most in history:
        refresh(world, most)
        for name, content in came_in.items():
            assert kept[name].content_hash == content
    world = history[-1][0]
    refresh(world, 10)
    for name, row in kept.items():
        if name not in world:
            assert row.state == "gone"
        else:
            assert row.state == ("in" if world[name] == came_in[name] else "changed")
    assert set(world) <= set(kept)
    # Once more, and nothing is left to do.
    before = dict(kept)
    refresh(world, 10)
    assert kept == before


@given(st.text(max_size=40))
def test_any_address_is_taken_or_refused_in_words(text: str) -> None:
    for url in (text, f"s3://{text}", f"s3://bucket/{text}", f"az://{text}", f"file://{text}"):
        try:
            address = address_of(url)
        except ValueError as error:
            assert str(error)
            continue
        assert address.kind == "file" or all(
            part not in ("", ".", "..") for part in address.prefix.split("/") if address.prefix
        )
        assert not set(address.bucket) & set("/@:?#%\\ ")


def test_a_cache_forgets_what_was_unused_longest(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most=1000)
    paths = []
    for n in range(10):
        path = tmp_path / f"{n:02}" / "file"
        path.parent.mkdir()
        path.write_bytes(bytes(200))
        os.utime(path, (n * 10, n * 10))
        paths.append(path)
    assert cache.used(paths[0])  # now the newest
    assert not cache.used(tmp_path / "00" / "none")
    new = tmp_path / "99" / "file"
    new.parent.mkdir()
    new.write_bytes(bytes(200))
    cache.grown([new])
    left = [path for path in paths if path.exists()]
    assert left == [paths[0], paths[8], paths[9]]
    # What is in use stays even if that is too much.
    for path in left:
        os.utime(path, (time.time(), time.time()))
    small = Cache(tmp_path, most=10)
    small.grown([])
    assert all(path.exists() for path in left)


def test_a_vault_opens_only_what_it_sealed_for_that_place(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "key")
    sealed = vault.seal(b"secret", "source 1")
    assert "secret" not in sealed
    assert sealed != vault.seal(b"secret", "source 1")
    assert Vault(tmp_path / "key").open(sealed, "source 1") == b"secret"
    other = Vault(tmp_path / "other")
    other.seal(b"", "")
    for broken, where, whose in (
        (sealed, "source 2", vault), (sealed, "source 1", other), (sealed[:-4], "source 1", vault),
        ("no base64", "source 1", vault), (sealed, "source 1", Vault(tmp_path / "none")),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            whose.open(broken, where)
    assert not (tmp_path / "none").exists()


def test_an_endpoint_that_the_operator_allows() -> None:
    with pytest.raises(Refused, match="--allow-endpoint"):
        Guard([], []).endpoint("http://169.254.169.254/latest")
    Guard([], ["169.254.169.254"]).endpoint("http://169.254.169.254/latest")
    Guard([], []).endpoint("http://127.0.0.1:9000")


@given(st.integers(0, 1 << 42), st.integers(1, 1 << 32), st.integers(0, 1 << 42))
def test_a_clock_that_is_set_back_delays_no_refresh_for_longer_than_a_turn(
    now: int, every: int, off: int
) -> None:
    at = due_at(every, now)
    assert is_due(at, every, now + every)
    assert is_due(at, every, now + off) == (off >= every)
    assert is_due(at, every, now - off) == (off > 0)
    assert not is_due(None, every, now)


def test_a_link_that_was_put_there_after_the_listing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.png").write_bytes(b"a")
    folder = Folder(root)
    assert [found.name for part in folder.listing() for found in part] == ["a.png"]
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(tmp_path / "secret.png")
    for name in ("a.png", "../secret.png"):
        with pytest.raises(Trouble, match="leads out of its folder"):
            folder.fetch(name, tmp_path / "got", 100)
    assert not (tmp_path / "got").exists()
