"""A real Chromium to measure pages in."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")


def found() -> str | None:
    """Where it is; None: nowhere (`make chromium` fetches one)."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def browsing(path: str) -> AsyncIterator[Browser]:
    # Root has no user namespaces to build the sandbox from.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=sandbox)
        try:
            yield browser
        finally:
            await browser.close()
