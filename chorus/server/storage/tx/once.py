"""Requests that came with an Idempotency-Key, and what they were answered."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base


class OnceSql(Base):
    def request_of_key(self, user_id: str, key: str) -> tuple[str, int | None, bytes] | None:
        """(digest of the request, status of its answer or None, the answer)."""
        found: tuple[str, int | None, bytes] | None = self.row(
            "SELECT digest, status, answer FROM request_key WHERE user_id = ? AND key = ?",
            (user_id, key),
        )
        return found

    def add_request_key(self, user_id: str, key: str, digest: str, now: int) -> None:
        self.run(
            "INSERT INTO request_key (user_id, key, digest, answer, created_at) VALUES (?,?,?,?,?)",
            (user_id, key, digest, b"", now),
        )

    def answer_request_key(self, user_id: str, key: str, status: int, answer: bytes) -> None:
        self.run(
            "UPDATE request_key SET status = ?, answer = ? WHERE user_id = ? AND key = ?",
            (status, answer, user_id, key),
        )

    def drop_request_key(self, user_id: str, key: str) -> None:
        self.run("DELETE FROM request_key WHERE user_id = ? AND key = ?", (user_id, key))

    def drop_old_request_keys(self, before: int) -> None:
        self.run("DELETE FROM request_key WHERE created_at < ?", (before,))
