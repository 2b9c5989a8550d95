"""Data sources and what lies in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.domain.sources import ObjectRow, Source
from chorus.server.storage.tx.base import Base, columns, marks

SOURCE = columns(Source)
CHANGEABLE = ("name", "mode", "endpoint", "region", "account", "secret", "every_ms", "next_at")


_OBJECT = ", ".join(ObjectRow._fields)


class SourceSql(Base):
    def add_source(self, source: Source) -> None:
        values = msgspec.structs.astuple(source)
        self.run(f"INSERT INTO source ({SOURCE}) VALUES ({marks(len(values))})", values)

    def source(self, source_id: str) -> Source | None:
        row = self.row(
            f"SELECT {SOURCE} FROM source WHERE source_id = ? AND removed_at IS NULL", (source_id,)
        )
        return Source(*row) if row else None

    def sources_of(self, project_id: str) -> list[Source]:
        return self._sources("project_id = ?", (project_id,))

    def scheduled_sources(self) -> list[Source]:
        """Those that are read by themselves, the next one first."""
        return self._sources(
            "next_at IS NOT NULL AND project_id IN"
            " (SELECT project_id FROM project WHERE state IN ('running', 'paused'))",
            (),
            "next_at",
        )

    def _sources(self, where: str, args: Sequence[Any], order: str = "created_at") -> list[Source]:
        return [
            Source(*row)
            for row in self.rows(
                f"SELECT {SOURCE} FROM source WHERE {where} AND removed_at IS NULL"
                f" ORDER BY {order}, source_id",
                args,
            )
        ]

    def change_source(self, source_id: str, changes: dict[str, Any]) -> None:
        """Set some of CHANGEABLE."""
        unknown = set(changes) - set(CHANGEABLE)
        if unknown:
            raise ValueError(f"not changeable: {sorted(unknown)}")
        self.run(
            f"UPDATE source SET {', '.join(f'{n} = ?' for n in changes)} WHERE source_id = ?",
            [*changes.values(), source_id],
        )

    def begin_refresh(self, source_id: str, job_id: str, next_at: int | None) -> None:
        self.run(
            "UPDATE source SET last_job = ?, next_at = ? WHERE source_id = ?",
            (job_id, next_at, source_id),
        )

    def forget_refreshes(self, project_id: str, most: int) -> None:
        """Refreshes that are over and no source's last, with their faults; the oldest first."""
        past = [
            row[0]
            for row in self.rows(
                "SELECT job_id FROM job WHERE project_id = ? AND kind = 'refresh'"
                " AND state NOT IN ('waiting', 'running') AND job_id NOT IN"
                " (SELECT last_job FROM source WHERE project_id = ? AND last_job IS NOT NULL)"
                " ORDER BY created_at LIMIT ?",
                (project_id, project_id, most),
            )
        ]
        for table in ("fault", "job"):
            self.run(f"DELETE FROM {table} WHERE job_id IN ({marks(len(past))})", past)

    def remove_source(self, source_id: str, now: int) -> None:
        """Forget its credentials and what lies there; that it was, stays."""
        self.run(
            "UPDATE source SET removed_at = ?, secret = NULL, next_at = NULL WHERE source_id = ?",
            (now, source_id),
        )
        self.run("DELETE FROM source_object WHERE source_id = ?", (source_id,))

    # -- what lies there

    def object_counts(self, source_id: str) -> dict[str, int]:
        """Number of objects by state."""
        return dict(
            self.rows(
                "SELECT state, COUNT(*) FROM source_object WHERE source_id = ? GROUP BY state",
                (source_id,),
            )
        )

    def not_in(self, source_id: str) -> bytes:
        """Differs where other objects are faulty, changed or gone."""
        names = hashlib.blake2b()
        for row in self.db.execute(
            "SELECT state, name FROM source_object WHERE source_id = ?"
            " AND state IN ('faulty', 'changed', 'gone') ORDER BY state, name",
            (source_id,),
        ):
            names.update("/".join(row).encode() + b"\0")
        return names.digest()

    def objects_named(self, source_id: str, names: Sequence[str]) -> list[ObjectRow]:
        return [
            ObjectRow(*row)
            for row in self.rows(
                f"SELECT {_OBJECT} FROM source_object WHERE source_id = ?"
                f" AND name IN ({marks(len(names))})",
                [source_id, *names],
            )
        ]

    def objects(self, source_id: str, state: str | None, after: str, limit: int) -> list[ObjectRow]:
        """In order of name (of its UTF-8 bytes)."""
        where = "AND state = ?" if state else ""
        return [
            ObjectRow(*row)
            for row in self.rows(
                f"SELECT {_OBJECT} FROM source_object WHERE source_id = ? {where} AND name > ?"
                " ORDER BY name LIMIT ?",
                [source_id, *([state] if state else []), after, limit],
            )
        ]

    def new_runs(self, source_id: str, size: int) -> list[str]:
        """The first name of each `size` new objects that follow each other, in order of name."""
        return [
            row[0]
            for row in self.rows(
                "SELECT name FROM (SELECT name, ROW_NUMBER() OVER (ORDER BY name) - 1 AS n"
                " FROM source_object WHERE source_id = ? AND state = 'new')"
                " WHERE n % ? = 0 ORDER BY name",
                (source_id, size),
            )
        ]

    def new_objects(self, source_id: str, first: str, beyond: str | None) -> list[ObjectRow]:
        """The new ones from the name `first` on, up to `beyond`, which is none of them; None: all
        that follow."""
        where = "" if beyond is None else " AND name < ?"
        return [
            ObjectRow(*row)
            for row in self.rows(
                f"SELECT {_OBJECT} FROM source_object WHERE source_id = ? AND state = 'new'"
                f" AND name >= ?{where} ORDER BY name",
                [source_id, first, *([] if beyond is None else [beyond])],
            )
        ]

    def put_objects(self, source_id: str, rows: Sequence[ObjectRow]) -> None:
        self.run_many(
            f"INSERT INTO source_object (source_id, {_OBJECT}) VALUES (?,?,?,?,?,?,?)"
            " ON CONFLICT (source_id, name) DO UPDATE SET version = excluded.version,"
            " size = excluded.size, state = excluded.state, content_hash = excluded.content_hash,"
            " reason = excluded.reason",
            [(source_id, *row) for row in rows],
        )

    def drop_objects(self, source_id: str, names: Sequence[str]) -> None:
        self.run(
            f"DELETE FROM source_object WHERE source_id = ? AND name IN ({marks(len(names))})",
            [source_id, *names],
        )

    def set_object_state(self, source_id: str, name: str, state: str) -> None:
        self.run(
            "UPDATE source_object SET state = ? WHERE source_id = ? AND name = ?",
            (state, source_id, name),
        )

    def forget_originals(self, source_id: str) -> None:
        """What has been in by reference is read once more, to be copied."""
        self.run(
            "UPDATE source_object SET state = 'new' WHERE source_id = ? AND state = 'in'",
            (source_id,),
        )

    def to_copy(self, source_id: str) -> int:
        """Objects that are in, and are to be read once more."""
        row = self.row(
            "SELECT COUNT(*) FROM source_object WHERE source_id = ? AND state = 'new'"
            " AND content_hash IS NOT NULL",
            (source_id,),
        )
        return int(row[0])

    # A picture is told by its content: a clone of a project finds it in the first one's source.

    def lying_elsewhere(self, hashes: Sequence[str]) -> list[str]:
        """Those of some content hashes that a source has (copied or not)."""
        return [
            row[0]
            for row in self.rows(
                "SELECT DISTINCT content_hash FROM source_object"
                f" WHERE content_hash IN ({marks(len(hashes))})",
                hashes,
            )
        ]

    def content_of_our_own(self) -> list[str]:
        """Hashes of the pictures and texts of items that no source has, and of the pictures of
        instructions, which are never shown from a source: ours alone."""
        return [
            row[0]
            for row in self.rows(
                "SELECT i.content_hash FROM item i WHERE NOT EXISTS"
                " (SELECT 1 FROM source_object o WHERE o.content_hash = i.content_hash)"
                " UNION SELECT content_hash FROM prose_picture"
            )
        ]

    def lying_at(self, content_hash: str) -> list[tuple[Source, ObjectRow]]:
        """Where a picture lies; where it is known to be first."""
        wanted = ", ".join(f"s.{name}" for name in SOURCE.split(", "))
        of_object = ", ".join(f"o.{name}" for name in ObjectRow._fields)
        split = len(SOURCE.split(", "))
        return [
            (Source(*row[:split]), ObjectRow(*row[split:]))
            for row in self.rows(
                f"SELECT {wanted}, {of_object} FROM source_object o"
                " JOIN source s ON s.source_id = o.source_id"
                " WHERE o.content_hash = ? AND s.removed_at IS NULL"
                " ORDER BY o.state <> 'in', o.name",
                (content_hash,),
            )
        ]
