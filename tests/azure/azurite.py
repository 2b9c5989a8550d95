"""Azure's storage on this machine (Azurite, which `make azure` installs), and what lies in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import obstore
from obstore.store import AzureStore

from chorus.client.process import free_port
from tests.buckets import comes_up

PROGRAM = Path(__file__).parent / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's, which is the same everywhere and no secret."""


class Azure:
    """A running server; `url` is its account's."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/{ACCOUNT}"

    def make(self, container: str, files: Mapping[str, bytes]) -> None:
        """A container, which obstore cannot make: by a request signed with the account's key."""
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
        text = "".join(f"{name}:{value}\n" for name, value in headers.items())
        path = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        signed = "PUT" + "\n" * 12 + text + path
        digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        answer = httpx.put(
            f"{self.url}/{container}?restype=container", headers=headers, trust_env=False
        )
        assert answer.status_code == 201, answer.text
        store = self._store(container)
        for name, data in files.items():
            obstore.put(store, name, data)

    def _store(self, container: str) -> Any:
        return AzureStore(
            container, account_name=ACCOUNT, account_key=KEY, endpoint=self.url,
            client_options={"allow_http": True},
        )  # fmt: skip


@contextmanager
def azure(folder: Path) -> Iterator[Azure]:
    port = free_port()
    words = [str(PROGRAM), "--silent", "-l", str(folder), "--blobPort", str(port)]
    process = subprocess.Popen(
        # It would refuse a client that is newer than it is.
        [*words, "--skipApiVersionCheck"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        found = Azure(port)
        comes_up(found.url, process)
        yield found
    finally:
        process.kill()
        process.wait()
