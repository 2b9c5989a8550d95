"""`chorus doctor`: what is wrong on a machine, and how to mend it. Nothing of it needs the server.

Each check looks at one thing and says what it found; `mend` says what to do about it. What a check
needs of the model's libraries it asks in a process of its own: torch is not for ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec

from chorus.machine import cores
from chorus.server.keyfile import LEAST
from chorus.server.settings import DETECTOR, Settings
from chorus.server.storage.migrations import VERSION

State = Literal["ok", "warn", "bad"]
FREE_BAD, FREE_WARN = 1 << 30, 10 << 30
FSYNC_WARN_MS, FSYNC_BAD_MS = 10.0, 100.0
FILES_BAD, FILES_WARN = 256, 4096
"""Open files: two sockets' worth for each person is plenty."""
MEMORY_BAD, MEMORY_WARN = 2 << 30, 4 << 30
LOG_WARN = 256 << 20
"""Bytes of the write-ahead log, which begins anew at 64 MB (storage/sqlite), unless something is in
its way."""
SQLITE_LEAST = (3, 35, 0)
"""RETURNING."""
CLOCK_LEAST = 1_767_225_600
"""2026-01-01: a clock before that has lost its time."""
TORCH_S = 120


class Finding(msgspec.Struct, frozen=True):
    """`mend`: what to do; "" where nothing is wrong."""

    name: str
    state: State
    found: str
    mend: str = ""


def examine(data_dir: Path, host: str, port: int, *, models: bool = True) -> Iterator[Finding]:
    """One finding after the other. models: also load torch and onnxruntime, which takes seconds."""
    settings = Settings(data_dir=data_dir, host=host, port=port)
    yield _python()
    yield _sqlite()
    yield _cores()
    yield _memory()
    yield _files()
    yield _clock()
    folder = _folder(data_dir)
    yield folder
    yield _free(data_dir)
    yield _fsync(data_dir)
    if folder.state != "bad":  # what cannot be looked into is neither good nor bad
        yield _database(settings)
        yield _log_file(settings)
        yield _secrets(settings)
    yield _port(host, port)
    yield _address(host)
    yield _pages()
    if folder.state != "bad":
        yield _exported(settings)
        yield _detectors(settings)
    yield _gpu(settings, models)
    if models:
        yield _loads("torch", "the model learns nothing without it")
        yield _loads("onnxruntime", "no picture is looked at without it")


def _graded(name: str, found: str, mend: str, *, warn: bool, bad: bool) -> Finding:
    """`bad` is the worse of the two."""
    if bad or warn:
        return Finding(name, "bad" if bad else "warn", found, mend)
    return Finding(name, "ok", found)


def _python() -> Finding:
    # An older one cannot read this file.
    return Finding("python", "ok", f"Python {sys.version.split()[0]}")


def _sqlite() -> Finding:
    said = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < SQLITE_LEAST:
        need = ".".join(map(str, SQLITE_LEAST))
        return Finding(
            "sqlite",
            "bad",
            said,
            f"Chorus needs SQLite {need} or newer: use a newer"
            " system, or a Python that brings its own.",
        )
    return Finding("sqlite", "ok", said)


def _cores() -> Finding:
    count = cores()
    said = f"{count} CPU cores"
    if count < 2:
        return Finding(
            "cpu",
            "warn",
            said,
            "People and the model share one core: votes wait while"
            " a round runs. Two are enough for a start.",
        )
    return Finding("cpu", "ok", said)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        # In a container the limit is the group's.
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return _graded(
        "memory",
        f"{total / (1 << 30):.1f} GB of memory",
        "A round needs up to 1.6 GB beside the server's 0.6 GB at 500,000 items (docs/scale.md):"
        " give it 4 GB.",
        warn=total < MEMORY_WARN,
        bad=total < MEMORY_BAD,
    )


def _files() -> Finding:
    # The server raises its own limit as far as it may.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return Finding("files", "ok", "no limit")
    how = "`ulimit -Hn 65536` before `chorus serve`; systemd: LimitNOFILE=65536"
    return _graded(
        "files",
        f"{most} open files at most",
        f"Each person takes one: raise it ({how}).",
        warn=most < FILES_WARN,
        bad=most < FILES_BAD,
    )


def _clock() -> Finding:
    now = time.time()
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < CLOCK_LEAST:
        return Finding(
            "clock",
            "bad",
            said,
            "The clock is wrong: sessions and invitations end by"
            " it. Set it, and let it follow NTP (`timedatectl set-ntp true`).",
        )
    return Finding("clock", "ok", said)


def _folder(data_dir: Path) -> Finding:
    if not data_dir.exists():
        parent = next(p for p in data_dir.resolve().parents if p.exists())
        said = f"{data_dir} is not there yet"
        if not os.access(parent, os.W_OK):
            return Finding(
                "folder",
                "bad",
                f"{said}, and {parent} cannot be written",
                f"Make it, and give it to who runs Chorus: `chown` {data_dir}.",
            )
        return Finding("folder", "ok", said)
    if not data_dir.is_dir():
        said = f"{data_dir} is a file"
        return Finding("folder", "bad", said, "Name a folder, with --data-dir.")
    kept = sorted(data_dir.iterdir()) if _usable(data_dir) else []
    wrong = [p for p in (data_dir, *kept) if not _usable(p)]
    if wrong:
        return Finding(
            "folder",
            "bad",
            f"cannot be read and written: {', '.join(map(str, wrong))}",
            "Give the folder to who runs Chorus: `chown -R USER` and its path.",
        )
    about = data_dir.stat()
    others = [p for p in kept if p.lstat().st_uid != about.st_uid]
    if others:
        return Finding(
            "folder",
            "warn",
            f"not of the user whose folder it is: {', '.join(map(str, others))}",
            f"A command was run as somebody else. `chown -R --reference={data_dir} {data_dir}`, and"
            " run commands as who runs Chorus (docs/operations.md).",
        )
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o007:
        return Finding(
            "folder",
            "warn",
            f"{data_dir} is open to everybody on this machine ({mode:o})",
            f"`chmod 750 {data_dir}`: it holds people's answers.",
        )
    return Finding("folder", "ok", f"{data_dir} can be written")


def _usable(path: Path) -> bool:
    """May we read and write it, and if it is a folder, what is in it?"""
    return os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0))


def _there(data_dir: Path) -> Path:
    """The folder, or what its disk is told by as long as it is not there."""
    return next(p for p in (data_dir.resolve(), *data_dir.resolve().parents) if p.exists())


def _free(data_dir: Path) -> Finding:
    free = shutil.disk_usage(_there(data_dir)).free
    return _graded(
        "disk",
        f"{free / (1 << 30):.1f} GB free",
        "Make room, or move the data folder: votes are refused when the disk is full.",
        warn=free < FREE_WARN,
        bad=free < FREE_BAD,
    )


def _fsync(data_dir: Path) -> Finding:
    """How long it takes until something is on the disk: what every vote waits for."""
    took = []
    try:
        with tempfile.TemporaryFile(dir=_there(data_dir)) as file:
            for _ in range(20):
                file.write(b"x" * 4096)
                file.flush()
                began = time.perf_counter()
                os.fsync(file.fileno())
                took.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        return Finding(
            "fsync",
            "bad",
            f"nothing can be written: {error.strerror}",
            "See what `folder` and `disk` say.",
        )
    slow = median(took)
    return _graded(
        "fsync",
        f"fsync takes {slow:.2f} ms (longest {max(took):.1f})",
        "Each vote waits for it. Put the data on a local SSD, not on a network share.",
        warn=slow > FSYNC_WARN_MS,
        bad=slow > FSYNC_BAD_MS,
    )


def _database(settings: Settings) -> Finding:
    path = settings.database
    if not path.exists():
        return Finding("database", "ok", "there is none yet")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            (schema,) = db.execute("PRAGMA user_version").fetchone()
            if schema > VERSION:
                return Finding(
                    "database",
                    "bad",
                    f"schema {schema}, this Chorus knows {VERSION}",
                    "It was written by a newer Chorus: install that one.",
                )
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                return Finding(
                    "database",
                    "bad",
                    said,
                    "The file is damaged: restore a backup (docs/backup.md), and look at the disk.",
                )
    except sqlite3.Error as error:
        return Finding(
            "database",
            "bad",
            str(error),
            f"Stop whatever else has it open; then `chorus fsck --data-dir {settings.data_dir}`.",
        )
    size = path.stat().st_size / 1e6
    what = f"schema {schema}, {size:,.0f} MB, whole"
    if schema < VERSION:
        return Finding(
            "database",
            "warn",
            what,
            f"The next start brings it to schema {VERSION}: make a backup before (docs/backup.md).",
        )
    return Finding("database", "ok", what)


def _log_file(settings: Settings) -> Finding:
    path = settings.database.with_name(f"{settings.database.name}-wal")
    size = path.stat().st_size if path.exists() else 0
    return _graded(
        "wal",
        f"its write-ahead log has {size / 1e6:,.0f} MB",
        "It is not folded into the database: the server's log says why. A restart folds it; backups"
        " and copies made by other programs may be in its way.",
        warn=size > LOG_WARN,
        bad=False,
    )


def _secrets(settings: Settings) -> Finding:
    kept = [p for p in (settings.data_dir / "secret", settings.vault_key) if p.exists()]
    short = [p for p in kept if p.stat().st_size < LEAST]
    if short:
        return Finding(
            "secrets",
            "bad",
            f"{short[0]} was cut off",
            "Put it back from where you keep it, or remove it (docs/backup.md: what that costs).",
        )
    open_ = [p for p in kept if stat.S_IMODE(p.stat().st_mode) & 0o077]
    if open_:
        names = " ".join(map(str, open_))
        return Finding(
            "secrets",
            "bad",
            f"others on this machine can read {names}",
            f"`chmod 600 {names}`; who may have read them can sign in as anybody:"
            " remove `secret`, and everybody signs in anew.",
        )
    return Finding("secrets", "ok", "only their owner can read them")


def _port(host: str, port: int) -> Finding:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "port",
            "warn",
            f"{host}:{port}: {error.strerror}",
            "A server is running there already, or choose another: `--port`.",
        )
    return Finding("port", "ok", f"{host}:{port} is free")


def _address(host: str) -> Finding:
    if host in ("127.0.0.1", "localhost", "::1"):
        return Finding(
            "address",
            "ok",
            f"{host}: for this machine, or for a proxy that passes the"
            " Host header on (docs/operations.md)",
        )
    return Finding(
        "address",
        "warn",
        f"{host}: others reach it without TLS",
        "Listen on 127.0.0.1 and put nginx or caddy before it (docs/operations.md):"
        " passwords and session cookies go over the network in the open else.",
    )


def _pages() -> Finding:
    vendor = Path(__file__).parent.parent / "web" / "static" / "vendor"
    if not vendor.is_dir() or not any(vendor.iterdir()):
        return Finding(
            "pages",
            "bad",
            "the browser parts are not installed",
            "`make setup` (it fetches them from npm).",
        )
    return Finding("pages", "ok", "the browser parts are installed")


def _exported(settings: Settings) -> Finding:
    found = sorted(p.name for p in settings.models.glob("*.onnx"))
    if not found:
        return Finding("networks", "ok", "none made yet: the first pictures wait some seconds")
    return Finding("networks", "ok", ", ".join(found))


def _detectors(settings: Settings) -> Finding:
    kept = sorted(p.stem for p in (settings.models / "detectors").glob("*@*.safetensors"))
    larger = ", ".join(kept) or "weights of larger ones are not here (docs/boxes.md)"
    return Finding("detectors", "ok", f"{DETECTOR}; {larger}")


def _gpu(settings: Settings, models: bool) -> Finding:
    if not settings.gpu:
        return Finding("gpu", "ok", "no NVIDIA GPU: the processor does it all")
    if not models:
        return Finding("gpu", "ok", "an NVIDIA GPU")
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    try:
        name = _python_says(code).stdout.strip()
    except subprocess.TimeoutExpired:
        name = ""
    if name:
        return Finding("gpu", "ok", name)
    return Finding(
        "gpu", "warn", "an NVIDIA GPU that torch cannot use",
        "See what `nvidia-smi` says: torch needs a driver as new as the CUDA that it is built for,"
        " and a build for CUDA. Until then the processor does it all, fine-tuning too, which new"
        " projects have switched on where there is a GPU.",
    )  # fmt: skip


def _loads(name: str, why: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "bad", "it is not installed", f"`pip install` Chorus anew; {why}.")
    try:
        done = _python_says(f"import {name}; print({name}.__version__)")
    except subprocess.TimeoutExpired:
        return Finding(name, "bad", f"it does not load within {TORCH_S} s", f"{why}.".capitalize())
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended at once"])[-1]
        return Finding(name, "bad", last, f"Install the build for this processor; {why}.")
    return Finding(name, "ok", done.stdout.strip())


def _python_says(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TORCH_S
    )


REPAIRS: dict[State, str] = {"ok": "ok  ", "warn": "look", "bad": "BAD "}


def lines(finding: Finding) -> Iterator[str]:
    yield f"{REPAIRS[finding.state]}  {finding.name:10} {finding.found}"
    if finding.mend:
        yield f"{'':17}→ {finding.mend}"
