"""Guideline notes: one sentence of a reviewer that reaches every labeler at once, or one of them.

Notes live in the event log only; the labelers' streams get them from there (see assigning).
"""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.services.labeling import media
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

TEXT_MAX = 300
SHOWN = 20
CHUNK = 100

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Notes:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, project_id: str, user_id: str, name: str, text: str, item_id: int | None,
        to: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Keep a note and send it to everybody, or to the person `to` alone. Raises bad_value,
        not_found."""
        text = " ".join(text.split())
        if not 1 <= len(text) <= TEXT_MAX:
            raise ApiError("bad_value", f"a note is one sentence of at most {TEXT_MAX} characters")

        def fn(tx: Tx) -> dict[str, Any]:
            shown: dict[str, Any] | None = None
            if item_id is not None:
                item = tx.item(item_id)
                if item is None or item.project_id != project_id:
                    raise ApiError("not_found", f"no item {item_id} in this project")
                shown = media(item)
            addressee: dict[str, Any] | None = None
            if to is not None:
                person = tx.user(to)
                if person is None or tx.role(project_id, to) is None:
                    raise ApiError("not_found", "not a member of this project")
                addressee = {"user_id": to, "name": person.name}
            body = {
                "user_id": user_id, "name": name, "text": text, "item": shown, "to": addressee,
            }  # fmt: skip
            now = now_ms()
            seq = tx.emit(project_id, now, "note.added", body)
            return {"seq": seq, "at": now, **body}

        return await self._store.write(fn)

    async def latest(
        self, project_id: str, user_id: str, role: str, to: str | None = None
    ) -> list[dict[str, Any]]:
        """The last SHOWN notes that the person may see, newest first: supervisors see all of
        them, the others those to everybody and to themselves. `to`: only messages to this one."""

        def wanted(note: dict[str, Any]) -> bool:
            addressee = (note.get("to") or {}).get("user_id")
            if role == "labeler" and addressee not in (None, user_id):
                return False
            return to is None or addressee == to

        def fn(tx: Tx) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            before = 1 << 62
            while len(found) < SHOWN and (rows := tx.notes(project_id, before, CHUNK)):
                before = rows[-1][0]
                notes = ({"seq": seq, "at": at, **_decode(body)} for seq, body, at in rows)
                found += [note for note in notes if wanted(note)]
            return [{"to": None, **note} for note in found[:SHOWN]]

        return await self._store.read(fn)
