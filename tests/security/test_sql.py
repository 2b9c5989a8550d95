"""What people write is never part of a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.filters import Answers, Filter
from chorus.server.storage.tx import Tx
from tests.server.world import World


class Listening(Tx):
    """Keeps the text of every statement."""

    def __init__(self, db: Any, heard: list[str]) -> None:
        super().__init__(db)
        self.heard = heard

    def rows(self, sql: str, args: Sequence[Any] = ()) -> Any:
        self.heard.append(sql)
        return super().rows(sql, args)

    def row(self, sql: str, args: Sequence[Any] = ()) -> Any:
        self.heard.append(sql)
        return super().row(sql, args)

    def run(self, sql: str, args: Sequence[Any] = ()) -> int:
        self.heard.append(sql)
        return super().run(sql, args)


WORLD = World()


def asked(world: World, text: str) -> list[str]:
    """All that takes texts of people, with this one."""
    heard: list[str] = []
    tx = Listening(world.db, heard)
    for state in (None, "labeled"):
        wanted = Filter(
            state=state, value=text, part=text, guess=text, guess_part=text, labeler=text,
            text=text, comments="unread", reader=text, gold=True, flagged=True,
        )  # fmt: skip
        tx.export_items("p", wanted, 0, 10)
    tx.history("p", text, 10, 10, Answers(kind=text, value=text, part=text, text=text))
    tx.user_by_login(text)
    tx.users_by_email(text)
    tx.invites_to(text, 0)
    tx.identity(text, text)
    tx.items_by_name("p", [text])
    tx.items_by_content("p", [text])
    tx.request_of_key(text, text)
    tx.preference(text)
    return heard


@given(st.one_of(st.text(), st.sampled_from(["'; DROP TABLE vote; --", '" OR 1=1', "%_\\", "?"])))
def test_statements_are_the_same_whatever_is_asked(text: str) -> None:
    text = text.encode("utf-8", "replace").decode() or "x"
    assert asked(WORLD, text) == asked(WORLD, "plain")


def test_marks_of_patterns_are_taken_as_letters() -> None:
    world = World()
    world.add(3)
    tx = Tx(world.db)
    for mark in "%_\\":
        assert tx.export_items("p", Filter(state=None, text=mark), 0, 10) == []
    assert len(tx.export_items("p", Filter(state=None, text=".jpg"), 0, 10)) == 3
    world.close()
