"""A Chorus server as a child process: for simulations, demos, benchmarks and tests."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

READY_SECONDS = 60.0
STOP_SECONDS = 15.0
ZOMBIE = "Z"
"""The state of a process that has ended, in /proc."""
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
"""Looked up here, because between fork and exec nothing may be loaded."""


class ServerFailed(RuntimeError):
    """The server process ended, or did not become ready; the message has the end of its log."""


def free_port(wish: int = 0) -> int:
    """`wish` if it is free on 127.0.0.1, else a port that is."""
    for port in (wish, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerFailed("no free port")


class ServerProcess:
    """`chorus serve` on 127.0.0.1 with its own data folder.

    The child ends with this process, however that ends (Linux: also when we are killed).
    Start it from the main thread: Linux ties the child's life to the thread that started it.
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir / "server.log"
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._kill_group)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def add_user(self, login: str, name: str, *, admin: bool = False) -> str:
        """Make a person in the data folder (server not needed) and return a bearer token."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [
            *_chorus(), "user", "add", "--data-dir", str(self.data_dir), "--login", login,
            "--name", name, "--password", secrets.token_urlsafe(16), "--token",
        ]  # fmt: skip
        if admin:
            command.append("--admin")
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment()
        )
        if done.returncode != 0:
            raise ServerFailed(f"chorus user add failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1].strip()

    def fsck(self) -> subprocess.CompletedProcess[str]:
        """Run `chorus fsck` on the data folder."""
        command = [*_chorus(), "fsck", "--data-dir", str(self.data_dir)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment()
        )

    async def start(self, *options: str) -> None:
        """Start and wait until `GET /healthz` answers. Raises `ServerFailed`."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [
            *_chorus(), "serve", "--data-dir", str(self.data_dir), "--port", str(self.port),
            *options,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
                preexec_fn=_die_with_parent if _prctl is not None else None,
            )
        deadline = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                if self._process.poll() is not None:
                    raise ServerFailed(f"the server ended at once:\n{self.log_tail()}")
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/healthz")).status_code == 200:
                        return
                if time.monotonic() > deadline:
                    self._kill_group()
                    raise ServerFailed(f"the server did not become ready:\n{self.log_tail()}")
                await asyncio.sleep(0.05)

    def kill9(self) -> None:
        """`kill -9` of the server process alone, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def restart(self, *options: str) -> None:
        """Start again on the same port and data folder (after `kill9` or `stop`)."""
        await self.start(*options)

    async def stop(self) -> int | None:
        """Ask the server to end, then make sure of it. Returns its exit status."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._kill_group()
                await asyncio.to_thread(self._process.wait)
        status = self._process.returncode
        self._kill_group()
        atexit.unregister(self._kill_group)
        return status

    def children(self) -> list[int]:
        """Process ids of all live descendants of the server (its job workers)."""
        return descendants(self.pid)

    def rss_mb(self) -> float | None:
        """Highest resident memory of the server process so far, in MB (1e6 bytes)."""
        with contextlib.suppress(OSError, ServerFailed):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
        return None

    def log_tail(self, lines: int = 30) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self._env}

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def stat(pid: int) -> list[str] | None:
    """What Linux says of a process, from its state on (proc(5), /proc/PID/stat); None: it is gone,
    or there is no /proc."""
    try:
        # The command's name is in parentheses and may hold spaces; what follows does not.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() or None
    except (OSError, ValueError):
        return None


def alive(pid: int) -> bool:
    """Whether it has not ended, by /proc."""
    fields = stat(pid)
    return fields is not None and fields[0] != ZOMBIE


def descendants(pid: int) -> list[int]:
    """Live descendants of a process, from /proc (empty where there is no /proc)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = stat(int(entry.name))
        if fields is not None and fields[0] != ZOMBIE:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def _chorus() -> list[str]:
    return [sys.executable, "-m", "chorus.server.cli"]


def _die_with_parent() -> None:
    """In the child, before exec: end by SIGTERM when the thread that started us is gone."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
