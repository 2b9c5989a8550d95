"""Guideline notes: one sentence of a reviewer that reaches every labeler at once.

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

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Notes:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, project_id: str, user_id: str, name: str, text: str, item_id: int | None
    ) -> dict[str, Any]:
        """Keep a note and send it to everybody. Raises bad_value, not_found."""
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
            body = {"user_id": user_id, "name": name, "text": text, "item": shown}
            now = now_ms()
            seq = tx.emit(project_id, now, "note.added", body)
            return {"seq": seq, "at": now, **body}

        return await self._store.write(fn)

    async def latest(self, project_id: str) -> list[dict[str, Any]]:
        """The last SHOWN notes, newest first."""
        rows = await self._store.read(lambda tx: tx.notes(project_id, SHOWN))
        return [{"seq": seq, "at": at, **_decode(body)} for seq, body, at in rows]
