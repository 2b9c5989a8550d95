"""What people have set for themselves, kept per person."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.domain import preferences as rules
from chorus.server.domain.preferences import Preferences
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

_decode = msgspec.json.Decoder(Preferences).decode


class OwnPreferences:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, user_id: str) -> Preferences:
        return await self._store.read(lambda tx: _kept(tx, user_id))

    async def change(self, user_id: str, changes: dict[str, Any]) -> Preferences:
        """Set some of them; `keys` takes the place of all changed keys ({}: none is changed).
        Raises bad_value with the reason."""

        def fn(tx: Tx) -> Preferences:
            try:
                wanted = rules.check(msgspec.structs.replace(_kept(tx, user_id), **changes))
            except ValueError as error:
                raise ApiError("bad_value", str(error)) from None
            tx.set_preference(user_id, msgspec.json.encode(wanted).decode())
            return wanted

        return await self._store.write(fn)


def public(preferences: Preferences) -> dict[str, Any]:
    """All of them, and the key of every action."""
    return {
        "language": preferences.language,
        "break_minutes": preferences.break_minutes,
        "motion": preferences.motion,
        "keys": rules.keys_of(preferences),
        "changed_keys": preferences.keys,
    }


def _kept(tx: Tx, user_id: str) -> Preferences:
    body = tx.preference(user_id)
    return _decode(body) if body is not None else Preferences()
