"""People who come from a provider of OpenID Connect, which has vouched for them."""

from __future__ import annotations

import re
import secrets
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import User
from chorus.server.domain.names import plain
from chorus.server.domain.provider import Provider
from chorus.server.errors import ApiError
from chorus.server.services.accounts import (
    LOGIN,
    Accounts,
    CurrentUser,
    insert_user,
    join,
    stands,
    usable,
)
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx


class Identity(msgspec.Struct, frozen=True):
    """What the provider says of somebody, checked."""

    sub: str
    email: str | None
    """Only one that the provider has verified."""
    name: str | None
    wish: str | None
    """The login they have there."""


class Identities:
    def __init__(self, store: Store, accounts: Accounts, provider: Provider | None) -> None:
        self._store = store
        self._accounts = accounts
        self.provider = provider

    async def sign_in(self, identity: Identity, invite: str | None) -> tuple[CurrentUser, str]:
        """(user, cookie value). Who comes the first time needs an invitation (`invite`: its token,
        or one to their e-mail address), an account without a password that has their address, or
        `auto_create`. Raises forbidden."""
        provider = self.provider
        assert provider is not None
        now = now_ms()

        def fn(tx: Tx) -> User:
            user_id = tx.identity(provider.issuer, identity.sub)
            user = tx.user(user_id) if user_id else None
            if user is None:
                user = (
                    _invited(tx, identity, now)
                    or _known(tx, identity)
                    or _by_link(tx, identity, invite, now)
                )
                if user is None and provider.auto_create:
                    user = _new(tx, identity, None, now)
                if user is None:
                    raise ApiError(
                        "forbidden",
                        f"there is no account here for {identity.email or identity.sub};"
                        " ask for an invitation",
                    )
                tx.add_identity(provider.issuer, identity.sub, user.user_id, now)
            return user

        user = await self._store.write(fn)
        return self._accounts.enter(user)

    async def link(self, login: str, issuer: str, sub: str) -> None:
        """Say who somebody with an account is to a provider. Raises not_found, conflict."""

        def fn(tx: Tx) -> None:
            user = tx.user_by_login(login)
            if user is None:
                raise ApiError("not_found", f"there is nobody with the login {login!r}")
            if tx.identity(issuer, sub) is not None:
                raise ApiError("conflict", f"{sub!r} is somebody's already")
            tx.add_identity(issuer, sub, user.user_id, now_ms())

        await self._store.write(fn)


def _invited(tx: Tx, identity: Identity, now: int) -> User | None:
    """The person that invitations to this address make, all of them used up."""
    if identity.email is None:
        return None
    user: User | None = None
    for invite in tx.invites_to(identity.email, now):
        if not stands(tx, invite):
            continue
        if user is None:
            assert invite.login is not None
            if tx.user_by_login(invite.login) is not None:
                continue  # it has been taken by other means, whoever that was
            user = _new(tx, identity, (invite.login, invite.name), now)
        if invite.login == user.login and invite.project_id is not None:
            join(tx, invite.project_id, user, invite.role, now)
            tx.use_invite(invite.token_hash)
    return user


def _known(tx: Tx, identity: Identity) -> User | None:
    """Whoever has this address, if only they can be it: an account with a password may be that of
    somebody who gave another's address (`chorus user link` is for those)."""
    found = tx.users_by_email(identity.email) if identity.email else []
    return found[0] if len(found) == 1 and found[0].password_hash is None else None


def _by_link(tx: Tx, identity: Identity, invite: str | None, now: int) -> User | None:
    """Somebody who came with an invitation; it is accepted later, on its own page."""
    found = usable(tx, invite, now) if invite else None
    if found is None:
        return None
    if found.login is None:
        return _new(tx, identity, None, now)
    if found.email is not None and found.email.lower() != (identity.email or "").lower():
        raise ApiError("forbidden", "this invitation is for another e-mail address")
    if tx.user_by_login(found.login) is not None:
        return None
    return _new(tx, identity, (found.login, found.name), now)


def _new(tx: Tx, identity: Identity, given: tuple[str, str | None] | None, now: int) -> User:
    login, name = given or (_free_login(tx, identity), None)
    name = plain(name or identity.name or login)[:100] or login
    user = User(secrets.token_hex(8), login, name, False, None, 1, now)
    insert_user(tx, user)
    if identity.email is not None:
        tx.set_email(user.user_id, identity.email)
    return user


def _free_login(tx: Tx, identity: Identity) -> str:
    wish = re.sub(r"[^\w.@+-]", "", identity.wish or identity.email or "")[:56]
    wish = wish if LOGIN.fullmatch(wish) else "person"
    login = wish
    while tx.user_by_login(login) is not None:
        login = f"{wish}-{secrets.token_hex(3)}"
    return login


def identity_of(claims: dict[str, Any]) -> Identity:
    """From the claims of an ID token (or of userinfo), checked before."""

    def text(key: str) -> str | None:
        value = claims.get(key)
        return value.strip() or None if isinstance(value, str) else None

    email = text("email") if claims.get("email_verified") is True else None
    return Identity(str(claims["sub"]), email, text("name"), text("preferred_username"))
