"""The event log: gap-free seq per project, written in the transaction of the fact."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.domain.model import Event
from chorus.server.storage.tx.base import Base
from chorus.server.storage.tx.later import Statement

_EVENT = Statement("INSERT INTO event (project_id, seq, type, body, at)", 5)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class EventSql(Base):
    def emit(self, project_id: str, at: int, type: str, body: dict[str, Any]) -> int:
        """Append one event; returns its seq. Published by the store after COMMIT."""
        seq = self._next_seq(project_id)
        self.later(_EVENT, (project_id, seq, type, _encode(body).decode(), at))
        self.events.append(Event(project_id, seq, type, body, at))
        return int(seq)

    def _next_seq(self, project_id: str) -> int:
        if self.known is None:
            (seq,) = self.row(
                "UPDATE project SET last_seq = last_seq + 1 WHERE project_id = ?"
                " RETURNING last_seq",
                (project_id,),
            )
            return int(seq)
        last = self.known.heads.get(project_id)
        if last is None:
            (last,) = self.row("SELECT last_seq FROM project WHERE project_id = ?", (project_id,))
        self.known.heads[project_id] = last + 1
        return int(last) + 1

    def events_since(self, project_id: str, since: int, limit: int) -> list[Event]:
        return [
            Event(project_id, seq, type, _decode(body), at)
            for seq, type, body, at in self.rows(
                "SELECT seq, type, body, at FROM event WHERE project_id = ? AND seq > ?"
                " ORDER BY seq LIMIT ?",
                (project_id, since, limit),
            )
        ]

    def changes(self, project_id: str, before: int, limit: int) -> list[Event]:
        """What was changed of a project, newest first, from before `before` on."""
        return [
            Event(project_id, seq, type, _decode(body), at)
            for seq, type, body, at in self.rows(
                "SELECT seq, type, body, at FROM event WHERE project_id = ? AND seq < ?"
                " AND type = 'project.changed' ORDER BY seq DESC LIMIT ?",
                (project_id, before, limit),
            )
        ]
