"""Administration of a data folder from the command line, beside a server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, nullcontext
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.lock import alone, serving
from chorus.server.services import fsck as checks
from chorus.server.services.accounts import Accounts
from chorus.server.services.erasing import Erasing
from chorus.server.services.identities import Identities
from chorus.server.services.tokens import NewToken, Tokens
from chorus.server.settings import Settings
from chorus.server.storage.migrations import VERSION, found_version
from chorus.server.storage.sqlite import SqliteStore, connect
from chorus.server.storage.tx import Tx


@asynccontextmanager
async def _store(data_dir: Path, held: bool = False) -> AsyncIterator[SqliteStore]:
    """held: the caller has the folder `alone`. Raises `RuntimeError` for the data of a newer
    Chorus, and for those of an older one whose server still runs: they would be upgraded, and go on
    to be written in the old way. Also while a backup is restored: there would be two databases."""
    settings = Settings(data_dir=data_dir)
    settings.make_folder()
    path = settings.database
    try:
        with nullcontext() if held else _opening(path):
            store = SqliteStore(path, lambda events: None, readers=1)
    except BlockingIOError:
        raise RuntimeError(
            "a server of an older Chorus runs on this folder: restart it with this one first"
            if path.exists()
            else "a backup is being restored into this folder: wait until it is there"
        ) from None
    try:
        yield store
    finally:
        await store.close()


def _opening(path: Path) -> AbstractContextManager[None]:
    """Held while the database is opened, if that upgrades or makes it."""
    if not path.exists():
        return serving(path.parent)
    return alone(path.parent) if _older(path) else nullcontext()


def _older(path: Path) -> bool:
    """Would opening it upgrade it? Raises `RuntimeError` if a newer Chorus wrote it."""
    if not path.exists():
        return False
    with closing(connect(path, readonly=True)) as db:
        return 0 < found_version(db) < VERSION


@asynccontextmanager
async def _accounts(data_dir: Path) -> AsyncIterator[Accounts]:
    async with _store(data_dir) as store:
        yield Accounts(store, Settings(data_dir=data_dir).secret())


async def has_admin(data_dir: Path) -> bool:
    async with _accounts(data_dir) as accounts:
        return await accounts.has_admin()


async def add_user(
    data_dir: Path, login: str, name: str, password: str | None, admin: bool, token: bool
) -> str | None:
    """Returns a bearer token if asked for; without a password it is the only way in. Raises
    `ApiError`."""
    async with _store(data_dir) as store:
        accounts = Accounts(store, Settings(data_dir=data_dir).secret())
        user = await accounts.add_user(login, name, password, admin)
        if not token:
            return None
        secret, _ = await Tokens(store).add(user.user_id, NewToken("command line"))
        return secret


async def give_password(data_dir: Path, login: str, password: str) -> None:
    """Raises `ApiError`."""
    async with _accounts(data_dir) as accounts:
        await accounts.give_password(login, password)


async def link(data_dir: Path, login: str, issuer: str, sub: str) -> None:
    """Who a person is to a provider of OpenID Connect. Raises `ApiError`."""
    async with _store(data_dir) as store:
        accounts = Accounts(store, Settings(data_dir=data_dir).secret())
        await Identities(store, accounts, None).link(login, issuer, sub)


async def export_person(data_dir: Path, login: str, target: Path) -> None:
    """Write all that is stored about a person to `target`. Raises `ApiError`, `OSError`."""
    async with _store(data_dir) as store:
        user_id = await _known(store, login)
        path, _ = await Erasing(store, target.parent).export(user_id)
        await asyncio.to_thread(path.replace, target)


async def erase_person(data_dir: Path, login: str) -> dict[str, Any]:
    """See `Erasing.erase`; it has ended when this returns. Raises `ApiError`, and
    `BlockingIOError` while a server runs: it would go on with what it has in memory."""
    with alone(data_dir):
        async with _store(data_dir, held=True) as store:
            user_id = await _known(store, login)
            erasing = Erasing(store, data_dir)
            found = await erasing.erase(user_id, login, None)
            await erasing.finish()
            return found


async def _known(store: SqliteStore, login: str) -> str:
    user = await store.read(lambda tx: tx.user_by_login(login))
    if user is None:
        raise ApiError("not_found", f"there is nobody with the login {login!r}")
    return user.user_id


async def users(data_dir: Path) -> list[dict[str, Any]]:
    async with _accounts(data_dir) as accounts:
        return await accounts.users()


def fsck(data_dir: Path) -> Iterator[str]:
    """Findings of `services.fsck.check`, all of one moment. Raises `RuntimeError` for a database
    of another version."""
    with closing(connect(Settings(data_dir=data_dir).database, readonly=True)) as db:
        _refuse_older(db)
        db.execute("BEGIN")
        yield from checks.check(Tx(db))


def mend(data_dir: Path) -> int:
    """See `services.fsck.mend`; all or nothing. Raises `RuntimeError` for a database of another
    version, and `BlockingIOError` while a server runs: it would go on with what it has in memory.
    """
    with alone(data_dir), closing(connect(Settings(data_dir=data_dir).database)) as db:
        _refuse_older(db)
        db.execute("BEGIN IMMEDIATE")
        count = checks.mend(Tx(db), now_ms())
        db.execute("COMMIT")
        return count


def _refuse_older(db: Connection) -> None:
    if found_version(db) < VERSION:
        raise RuntimeError("an older Chorus wrote this: start the server once to upgrade it")


def refuse_newer(data_dir: Path) -> None:
    """Raises `RuntimeError` if a newer Chorus wrote the data."""
    _older(Settings(data_dir=data_dir).database)
