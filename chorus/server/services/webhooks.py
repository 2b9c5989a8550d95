"""Webhooks: a project's events, sent to an address of its supervisors' choice.

Each webhook reads the event log from the last event it has delivered, which is kept with it: over a
restart, or days in which nobody answers, no event is lost. One that was delivered as the server was
killed may come again. Each is somebody's (`created_by`), and is turned off in the transaction in
which they cease to supervise the project.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from chorus import __version__
from chorus.server.clock import now_ms
from chorus.server.domain.model import Event, Webhook
from chorus.server.domain.webhooks import (
    MOST_MS,
    TYPES,
    gives_up,
    new_secret,
    signature,
    wait_ms,
)
from chorus.server.errors import ApiError
from chorus.server.services.fitting import fitting
from chorus.server.services.news import News
from chorus.server.storage.outbound import Outbound, Refused
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.vault import Unreadable, Vault

log = logging.getLogger(__name__)
BATCH = 100
"""Most events in one message."""
READ = 1000
SKIP = 5000
"""Events that nobody asked for are passed over in memory; so often where we are is written down."""
MOST = 20
"""Webhooks of one project."""
URL_MAX = 2000
TROUBLE_S = 60.0
"""How long a webhook rests when something of our own has failed."""


class NewWebhook(msgspec.Struct):
    """Body of `POST /api/projects/{id}/webhooks`."""

    url: str
    types: list[str] = []
    """Events to send (docs/protocol.md, Events); empty: all."""


class WebhookChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH …/webhooks/{webhook_id}`; what is absent stays."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    types: list[str] | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


class Webhooks:
    def __init__(
        self, store: Store, vault: Vault, outbound: Outbound, news: News,
        public: Callable[[Event], dict[str, Any]],
    ) -> None:  # fmt: skip
        self._store = store
        self._vault = vault
        self._out = outbound
        self._news = news
        self._public = public
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # -- life

    async def start(self) -> None:
        for hook in await self._store.read(lambda tx: tx.webhooks()):
            self._begin(hook)

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._out.close()

    def _begin(self, hook: Webhook) -> None:
        """Start sending, or start anew with what is changed."""
        self._end(hook.webhook_id)
        if hook.state == "active":
            self._tasks[hook.webhook_id] = asyncio.ensure_future(self._run(hook.webhook_id))

    def _end(self, webhook_id: str) -> None:
        task = self._tasks.pop(webhook_id, None)
        if task is not None:
            task.cancel()

    # -- what supervisors do

    async def of(self, project_id: str) -> list[dict[str, Any]]:
        return await self._store.read(
            lambda tx: [shown(tx, hook) for hook in tx.webhooks(project_id)]
        )

    async def add(self, project_id: str, user_id: str, new: NewWebhook) -> dict[str, Any]:
        """With its secret, which is shown this once. From now on its events are sent.
        Raises bad_value (address, types), conflict (too many), forbidden."""
        await self._check(new.url, new.types)
        secret, webhook_id = new_secret(), secrets.token_hex(8)
        sealed = await asyncio.to_thread(self._vault.seal, secret.encode(), webhook_id)

        def fn(tx: Tx) -> tuple[Webhook, dict[str, Any]]:
            _allowed(tx, project_id, user_id)
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            if len(tx.webhooks(project_id)) >= MOST:
                raise ApiError("conflict", f"a project has at most {MOST} webhooks")
            types = msgspec.json.encode(sorted(set(new.types))).decode()
            hook = Webhook(
                webhook_id, project_id, new.url, types, sealed, "active", project.last_seq, 0,
                None, 0, user_id, now_ms(),
            )  # fmt: skip
            tx.put_webhook(hook)
            return hook, shown(tx, hook)

        hook, public = await self._store.write(fn)
        self._begin(hook)
        return {**public, "secret": secret}

    async def change(
        self, project_id: str, user_id: str, webhook_id: str, change: WebhookChange
    ) -> dict[str, Any]:
        """One that is turned on again goes on from the last event it delivered, at once. Whoever
        turns it on, or leads it elsewhere, has it from then on. Raises bad_value, not_found,
        forbidden."""
        if change.url is not msgspec.UNSET:
            await self._check(change.url, [])
        if change.types is not msgspec.UNSET:
            _check_types(change.types)

        def fn(tx: Tx) -> tuple[Webhook, dict[str, Any]]:
            hook = _of(tx, project_id, webhook_id)
            _allowed(tx, project_id, user_id)
            if change.url is not msgspec.UNSET:
                hook.url = change.url
            if change.types is not msgspec.UNSET:
                hook.types = msgspec.json.encode(sorted(set(change.types))).decode()
            if change.active is not msgspec.UNSET:
                hook.state = "active" if change.active else "off"
            if change.url is not msgspec.UNSET or change.active is True:
                hook.created_by = user_id
            hook.failures, hook.failing_since, hook.next_at = 0, None, 0
            tx.put_webhook(hook)
            return hook, shown(tx, hook)

        was = await self._store.read(lambda tx: _of(tx, project_id, webhook_id))
        self._end(webhook_id)  # it would keep what it has read before
        try:
            hook, public = await self._store.write(fn)
        except BaseException:
            self._begin(was)
            raise
        self._begin(hook)
        return public

    async def remove(self, project_id: str, webhook_id: str) -> None:
        def fn(tx: Tx) -> None:
            _of(tx, project_id, webhook_id)
            tx.drop_webhook(webhook_id)

        await self._store.write(fn)
        self._end(webhook_id)

    async def deliveries(self, project_id: str, webhook_id: str) -> list[dict[str, Any]]:
        def fn(tx: Tx) -> list[dict[str, Any]]:
            _of(tx, project_id, webhook_id)
            return tx.deliveries(webhook_id)

        return await self._store.read(fn)

    async def test(self, project_id: str, webhook_id: str) -> dict[str, Any]:
        """Send a message without events now, whatever else waits; how it went."""
        hook = await self._store.read(lambda tx: _of(tx, project_id, webhook_id))
        message_id = f"test_{secrets.token_hex(8)}"
        status, error, ms = await self._send(hook, message_id, "test", [])
        await self._store.write(
            lambda tx: tx.add_delivery(hook, message_id, 0, 1, status, error, ms, now_ms())
        )
        return {"ok": error is None, "status": status, "error": error, "ms": ms}

    async def _check(self, url: str, types: list[str]) -> None:
        _check_types(types)
        if len(url) > URL_MAX:
            raise ApiError("bad_value", f"an address has at most {URL_MAX} characters")
        try:
            await self._out.look_up(url)
        except Refused as error:
            raise ApiError("bad_value", str(error)) from None

    # -- sending

    async def _run(self, webhook_id: str) -> None:
        seen = 0
        while True:
            try:
                hook = await self._at_work(webhook_id)
                if hook is None:
                    return
                late = min(hook.next_at - now_ms(), MOST_MS)  # the clock may have been set back
                if late > 0:
                    await asyncio.sleep(late / 1000)
                seen = await self._step(webhook_id, seen)
            except ApiError:  # shutting down
                return
            except Exception:  # the disk is full …
                log.exception("webhook %s waits a minute", webhook_id)
                await asyncio.sleep(TROUBLE_S)

    async def _at_work(self, webhook_id: str) -> Webhook | None:
        """The webhook, if it is on."""

        def fn(tx: Tx) -> tuple[Webhook | None, bool]:
            hook = tx.webhook(webhook_id)
            return hook, hook is not None and tx.supervises(hook.project_id, hook.created_by)

        hook, supervised = await self._store.read(fn)
        if hook is None or hook.state != "active":
            return None
        if not supervised:  # an older Chorus let it go on
            await self._store.write(lambda tx: tx.end_webhooks(hook.created_by))
            return None
        return hook

    async def _step(self, webhook_id: str, since: int) -> int:
        """Wait for the next events and send them. The seq up to which all is done."""

        def due(tx: Tx) -> tuple[Webhook, list[Event]] | None:
            hook = tx.webhook(webhook_id)
            if hook is None or hook.state != "active":
                return None
            return hook, tx.events_since(hook.project_id, max(since, hook.delivered_seq), READ)

        # Both of one moment: what happens after it was turned off is not sent.
        found = await self._store.read(due)
        if found is None:
            return since
        hook, events = found
        since = max(since, hook.delivered_seq)
        if not events:
            await self._news.after(hook.project_id, since)
            return since
        types = set(msgspec.json.decode(hook.types))
        wanted = [e for e in events if not types or e.type in types]
        if not wanted:
            upto = events[-1].seq
            if upto - hook.delivered_seq > SKIP:
                await self._store.write(lambda tx: _advance(tx, hook, upto))
            return upto
        rows = (
            {"seq": e.seq, "type": e.type, "at": e.at, "body": self._public(e)}
            for e in wanted[:BATCH]
        )
        bodies = list(fitting(rows))
        upto = wanted[len(bodies) - 1].seq if len(bodies) < len(wanted) else events[-1].seq
        message_id = f"{hook.webhook_id}_{bodies[0]['seq']}_{bodies[-1]['seq']}"
        status, error, ms = await self._send(hook, message_id, "events", bodies)

        def fn(tx: Tx) -> None:
            now = now_ms()
            if tx.webhook(hook.webhook_id) is None:  # removed meanwhile
                return
            attempt = hook.failures + 1
            tx.add_delivery(hook, message_id, len(bodies), attempt, status, error, ms, now)
            if error is None:
                _advance(tx, hook, upto)
                return
            hook.failures = attempt
            hook.failing_since = hook.failing_since or now
            hook.next_at = now + wait_ms(hook.failures, random.random())
            if status == 410 or gives_up(hook.failing_since, now):
                hook.state = "failed"
            tx.webhook_sent(hook)

        await self._store.write(fn)
        return upto if error is None else since

    async def _send(
        self, hook: Webhook, message_id: str, type: str, events: list[dict[str, Any]]
    ) -> tuple[int | None, str | None, int]:
        """(status of the answer, what is wrong with it or None, milliseconds)."""
        now = now_ms()
        body = msgspec.json.encode(
            {
                "type": type, "webhook_id": hook.webhook_id, "project_id": hook.project_id,
                "at": now, "events": events,
            }
        )  # fmt: skip
        begun = time.monotonic()
        status = None
        try:
            secret = self._vault.open(hook.secret, hook.webhook_id).decode()
            headers = {
                "Content-Type": "application/json",
                "User-Agent": f"Chorus/{__version__}",
                "Webhook-Id": message_id,
                "Webhook-Timestamp": str(now // 1000),
                "Webhook-Signature": signature(secret, message_id, now // 1000, body),
            }
            status = await self._out.post(hook.url, body, headers)
            error = None
            if 300 <= status < 400:
                error = f"answered {status}; redirects are not followed"
            elif not 200 <= status < 300:
                error = f"answered {status}"
        except Refused as refused:
            error = str(refused)
        except Unreadable:
            error = "its secret cannot be read: the server's key was lost; make a new webhook"
        except TimeoutError:
            error = "no answer in time"
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            error = str(failed) or type_name(failed)
        return status, error, int((time.monotonic() - begun) * 1000)


def type_name(error: Exception) -> str:
    return error.__class__.__name__


def _advance(tx: Tx, hook: Webhook, upto: int) -> None:
    hook.delivered_seq = upto
    hook.failures, hook.failing_since, hook.next_at = 0, None, 0
    tx.webhook_sent(hook)


def _of(tx: Tx, project_id: str, webhook_id: str) -> Webhook:
    hook = tx.webhook(webhook_id)
    if hook is None or hook.project_id != project_id:
        raise ApiError("not_found", "no such webhook")
    return hook


def _allowed(tx: Tx, project_id: str, user_id: str) -> None:
    """To look a name up may take long: whoever was a supervisor before may be none any more."""
    if not tx.supervises(project_id, user_id):
        raise ApiError("forbidden", "this needs the role supervisor")


def _check_types(types: list[str]) -> None:
    unknown = sorted(set(types) - TYPES)
    if unknown:
        raise ApiError("bad_value", f"no such event: {', '.join(unknown)}")


def shown(tx: Tx, hook: Webhook) -> dict[str, Any]:
    """What people see of it; never its secret."""
    maker = tx.user(hook.created_by)
    return {
        "webhook_id": hook.webhook_id, "url": hook.url, "state": hook.state,
        "types": msgspec.json.decode(hook.types), "delivered_seq": hook.delivered_seq,
        "failures": hook.failures, "failing_since": hook.failing_since,
        "next_at": hook.next_at or None, "created_at": hook.created_at,
        "made_by": maker.name if maker else None,
        "maker_left": not tx.supervises(hook.project_id, hook.created_by),
    }  # fmt: skip
