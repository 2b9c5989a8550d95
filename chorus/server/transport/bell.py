"""What one task waits for, over and over, and others ring: `asyncio.Event` for a single waiter,
without the state and the turns that nobody needs who looks for himself whether there is something.
"""

from __future__ import annotations

import asyncio


class Bell:
    """One waits at a time. A ring that nobody waits for is lost: look first, then wait, in one
    step of the event loop."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def rung(self) -> None:
        """Wait for the next ring."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
