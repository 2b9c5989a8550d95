"""API tokens: a program acts as a person, as far as its token goes and until it ends."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.grants import SCOPES, Grant, admin_by
from chorus.server.domain.model import Token
from chorus.server.errors import ApiError
from chorus.server.services.accounts import CurrentUser, digest
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

TOKENS_MAX = 200
NAME_MAX = 100
NOTED_MS = 60_000
"""A use is written down when the one known is older than that."""


class NewToken(msgspec.Struct):
    name: str = "token"
    scope: str = "all"
    project_id: str | None = None
    expires_at: int | None = None


class Tokens:
    """`ended(token_id)` is called when one is revoked: its sockets close."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ended: Callable[[str], None] = lambda token_id: None

    async def find(self, token: str) -> CurrentUser | None:
        """Whose token it is, if it has not ended."""
        hashed, now = digest(token), now_ms()

        def fn(tx: Tx) -> tuple[Token, CurrentUser] | None:
            found = tx.token(hashed)
            if found is None or (found.expires_at is not None and found.expires_at <= now):
                return None
            user = tx.user(found.user_id)
            if user is None:
                return None
            grant = Grant(
                token_id(found), found.scope, found.project_id, found.expires_at, bool(user.admin)
            )
            return found, CurrentUser(
                user.user_id, user.login, user.name, admin_by(grant), user.time_zone, grant
            )

        known = await self._store.read(fn)
        if known is None:
            return None
        if known[0].last_used_at is None or now - known[0].last_used_at >= NOTED_MS:
            try:
                await self._store.write(lambda tx: tx.token_used(hashed, now))
            except Exception as error:
                # The disk is full …: who only looks must still see something.
                log.warning("when a token was used is not noted: %s", error)
        return known[1]

    async def add(self, user_id: str, new: NewToken) -> tuple[str, dict[str, Any]]:
        """(the token, which only its owner ever sees; what is shown of it later). Whether the
        person is in the project is decided by transport. Raises bad_value, conflict."""
        now = now_ms()
        if new.scope not in SCOPES:
            raise ApiError("bad_value", f"scope must be one of {', '.join(SCOPES)}")
        if not new.name.strip() or len(new.name) > NAME_MAX:
            raise ApiError("bad_value", f"a token's name has 1 to {NAME_MAX} characters")
        if new.expires_at is not None and not now < new.expires_at < 1 << 53:
            raise ApiError("bad_value", "expires_at must be a time to come, in ms since 1970")
        secret = secrets.token_urlsafe(32)
        token = Token(
            digest(secret), user_id, new.name.strip(), now, new.scope, new.project_id,
            new.expires_at, None,
        )  # fmt: skip

        def fn(tx: Tx) -> None:
            if len(tx.tokens_of(user_id)) >= TOKENS_MAX:
                raise ApiError(
                    "conflict", f"a person has at most {TOKENS_MAX} tokens; revoke some first"
                )
            tx.add_token(token)

        await self._store.write(fn)
        return secret, _public(token)

    async def of(self, user_id: str) -> list[dict[str, Any]]:
        """A person's tokens, ended ones too, the newest first."""
        return [_public(t) for t in await self._store.read(lambda tx: tx.tokens_of(user_id))]

    async def revoke(self, user_id: str, which: str) -> None:
        """Raises not_found, also for somebody else's."""

        def fn(tx: Tx) -> None:
            for token in tx.tokens_of(user_id):
                if token_id(token) == which:
                    tx.drop_token(token.token_hash)
                    return
            raise ApiError("not_found", "you have no such token")

        await self._store.write(fn)
        self.ended(which)


def token_id(token: Token) -> str:
    """Its name to the outside: the beginning of its hash, by which nothing can be opened."""
    return token.token_hash[:16]


def _public(token: Token) -> dict[str, Any]:
    return {
        "token_id": token_id(token),
        "name": token.name,
        "scope": token.scope,
        "project_id": token.project_id,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
