"""Webhooks and their deliveries."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.domain.model import Webhook
from chorus.server.storage.tx.base import Base, columns, marks, supervising

WEBHOOK = columns(Webhook)
DELIVERIES = 100
"""Newest ones that are kept of each webhook."""


class WebhookSql(Base):
    def webhook(self, webhook_id: str) -> Webhook | None:
        row = self.row(f"SELECT {WEBHOOK} FROM webhook WHERE webhook_id = ?", (webhook_id,))
        return Webhook(*row) if row else None

    def webhooks(self, project_id: str | None = None) -> list[Webhook]:
        """Of one project, or all; oldest first."""
        return [
            Webhook(*row)
            for row in self.rows(
                f"SELECT {WEBHOOK} FROM webhook WHERE ? IS NULL OR project_id = ?"
                " ORDER BY created_at, webhook_id",
                (project_id, project_id),
            )
        ]

    def put_webhook(self, hook: Webhook) -> None:
        values = msgspec.structs.astuple(hook)
        self.run(
            f"INSERT OR REPLACE INTO webhook ({WEBHOOK}) VALUES ({marks(len(values))})", values
        )

    def webhook_sent(self, hook: Webhook) -> None:
        """How far it has come, and whether it has failed. What was made of it meanwhile stands: one
        that was turned off is off."""
        self.run(
            "UPDATE webhook SET delivered_seq = ?, failures = ?, failing_since = ?, next_at = ?,"
            " state = CASE state WHEN 'active' THEN ? ELSE state END WHERE webhook_id = ?",
            (
                hook.delivered_seq, hook.failures, hook.failing_since, hook.next_at, hook.state,
                hook.webhook_id,
            ),
        )  # fmt: skip

    def end_webhooks(self, user_id: str) -> None:
        """Turn off somebody's in projects that they do not supervise (any more)."""
        self.run(
            "UPDATE webhook SET state = 'off' WHERE created_by = ? AND state = 'active' AND NOT "
            + supervising("webhook.project_id", "webhook.created_by"),
            (user_id,),
        )

    def drop_webhook(self, webhook_id: str) -> None:
        self.run("DELETE FROM delivery WHERE webhook_id = ?", (webhook_id,))
        self.run("DELETE FROM webhook WHERE webhook_id = ?", (webhook_id,))

    def add_delivery(
        self, hook: Webhook, message_id: str, events: int, attempt: int, status: int | None,
        error: str | None, ms: int, at: int,
    ) -> None:  # fmt: skip
        self.run(
            "INSERT INTO delivery (webhook_id, project_id, message_id, events, attempt, status,"
            " error, ms, at) VALUES (?,?,?,?,?,?,?,?,?)",
            (hook.webhook_id, hook.project_id, message_id, events, attempt, status, error, ms, at),
        )
        self.run(
            "DELETE FROM delivery WHERE webhook_id = ? AND delivery_id <= (SELECT delivery_id FROM"
            " delivery WHERE webhook_id = ? ORDER BY delivery_id DESC LIMIT 1 OFFSET ?)",
            (hook.webhook_id, hook.webhook_id, DELIVERIES),
        )

    def deliveries(self, webhook_id: str) -> list[dict[str, Any]]:
        """Newest first."""
        names = ("message_id", "events", "attempt", "status", "error", "ms", "at")
        return [
            dict(zip(names, row, strict=True))
            for row in self.rows(
                f"SELECT {', '.join(names)} FROM delivery WHERE webhook_id = ?"
                " ORDER BY delivery_id DESC",
                (webhook_id,),
            )
        ]
