"""`chorus backup` and `chorus restore`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from chorus.server.domain.backups import KEEP
from chorus.server.services.backup_check import check
from chorus.server.storage.backup.making import KEYS, make
from chorus.server.storage.backup.places import BackupError, Damaged, open_place
from chorus.server.storage.backup.restoring import Ended, restore
from chorus.server.storage.backup.shelf import Shelf
from chorus.server.storage.backup.snapshots import Snapshot, chosen

backup = typer.Typer(help="Backups, made while the server runs.", no_args_is_help=True)
AddressArgument = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="A folder, or s3://, gs://, az:// with the environment's credentials.",
    ),
]
Which = Annotated[
    str | None, typer.Option("--snapshot", help="Which backup, by its name (default: the newest).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
T = TypeVar("T")


@backup.command("make")
def make_(
    address: AddressArgument,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="Folder of the server's data.")
    ] = Path("chorus-data"),
    keep: Annotated[
        int, typer.Option(min=0, help="How many of the newest backups stay (0: all).")
    ] = KEEP,
    with_keys: Annotated[
        bool,
        typer.Option(
            "--with-keys",
            help="Also the keys of stored credentials and sessions: whoever reads the backup can"
            " then use them.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Back up a data folder, whether or not its server runs; only what is new is written."""
    with _Shown(as_json) as show:
        made = _or_fail(
            lambda: make(data_dir, Shelf(open_place(address)), keep, with_keys, show.progress),
            as_json,
        )
    if as_json:
        typer.echo(msgspec.json.encode(_summary(made)).decode())
        return
    typer.echo(
        f"Backup {made.snapshot_id}: database of {_mb(made.database_bytes)}, {made.files} files of"
        f" {_mb(made.file_bytes)}; {_mb(made.new_bytes)} new in {made.new_objects} objects;"
        f" {made.seconds:.1f} s."
    )
    for path in made.missing:
        typer.echo(f"not in it, gone or damaged: {path}", err=True)
    for what in made.unreadable:
        typer.echo(f"damaged in an earlier backup: {what}", err=True)
    if not with_keys:
        typer.echo(f"Not in it: {' and '.join(KEYS)}; keep them elsewhere (docs/backup.md).")


@backup.command("list")
def list_(address: AddressArgument, as_json: AsJson = False) -> None:
    """All backups at an address, oldest first. Exit 1 if the description of one is damaged: it is
    named, and all others are listed."""

    def work() -> dict[str, Snapshot | Damaged]:
        shelf = Shelf(open_place(address))
        shelf.check()
        return {one: _described(shelf, one) for one in shelf.snapshots()}

    found = _or_fail(work, as_json)
    if as_json:
        said = [
            _summary(one)
            if isinstance(one, Snapshot)
            else {"snapshot_id": snapshot_id, "damaged": str(one)}
            for snapshot_id, one in found.items()
        ]
        typer.echo(msgspec.json.encode(said).decode())
    else:
        for one in found.values():
            if isinstance(one, Damaged):
                typer.echo(str(one), err=True)
                continue
            typer.echo(
                f"{one.snapshot_id}\t{_mb(one.database_bytes)} database\t{one.files} files of"
                f" {_mb(one.file_bytes)}\t{_mb(one.new_bytes)} new"
            )
    if any(isinstance(one, Damaged) for one in found.values()):
        raise typer.Exit(1)


def _described(shelf: Shelf, snapshot_id: str) -> Snapshot | Damaged:
    """What one backup says of itself, or why it does not."""
    try:
        return shelf.snapshot(snapshot_id)
    except Damaged as error:
        return error


@backup.command("verify")
def verify(
    address: AddressArgument,
    which: Which = None,
    every: Annotated[bool, typer.Option("--all", help="All backups there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a backup whole and look it through, as after a restore. Exit 1 on a finding."""

    def work() -> dict[str, list[str]]:
        shelf = Shelf(open_place(address))
        shelf.check()
        known = shelf.snapshots()
        wanted = known if every else [chosen(known, which, None)]
        return {one: findings_of(shelf, one) for one in wanted}

    def findings_of(shelf: Shelf, snapshot_id: str) -> list[str]:
        found = _described(shelf, snapshot_id)
        return [str(found)] if isinstance(found, Damaged) else [*check(shelf, found, show.progress)]

    with _Shown(as_json) as show:
        findings = _or_fail(work, as_json)
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        for one, lines in findings.items():
            for line in lines:
                typer.echo(f"{one}: {line}")
            if not lines:
                typer.echo(f"{one}: all is well")
    if any(findings.values()):
        raise typer.Exit(1)


def restore_(
    address: AddressArgument,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="A folder without data, to be made.")
    ],
    which: Which = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="The newest backup of this moment or before, such as 2026-01-31T12:00 (local time"
            " unless it says otherwise).",
        ),
    ] = None,
    keep_tokens: Annotated[
        bool,
        typer.Option(
            "--keep-tokens",
            help="Also the API tokens and invitations of that time: those that were revoked or used"
            " up since are good again.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a data folder from a backup. Nobody is signed in to it; no link or token opens it.
    Exit 1 if the backup of a file is damaged: all others are there."""

    def work() -> tuple[Snapshot, Ended, list[str]]:
        shelf = Shelf(open_place(address))
        shelf.check()
        moment = None if at is None else _moment(at)
        snapshot = shelf.snapshot(chosen(shelf.snapshots(), which, moment))
        return snapshot, *restore(shelf, snapshot, data_dir, show.progress, keep_tokens=keep_tokens)

    with _Shown(as_json) as show:
        found, ended, damaged = _or_fail(work, as_json)
    if as_json:
        said = {**_summary(found), "tokens_ended": ended.tokens, "damaged": damaged}
        said["invitations_ended"] = ended.invitations
        typer.echo(msgspec.json.encode(said).decode())
    else:
        _say_restored(found, ended, damaged, data_dir, keep_tokens)
    if damaged:
        raise typer.Exit(1)


def _say_restored(
    found: Snapshot, ended: Ended, damaged: list[str], data_dir: Path, keep_tokens: bool
) -> None:
    made = datetime.fromtimestamp(found.at / 1000, UTC)
    typer.echo(f"{data_dir} is as it was at {made:%Y-%m-%d %H:%M:%S} UTC ({found.snapshot_id}).")
    for path in found.missing:
        typer.echo(f"not in the backup, gone or damaged: {path}", err=True)
    if not found.keys:
        typer.echo(
            "The keys were not in it. Put sources.key and secret back from where you keep them, or"
            " enter the credentials of sources and webhooks anew."
        )
    typer.echo(
        "Everybody signs in again: sessions and sign-in links of that time are void. Admins make"
        " links for those without a password (People); where no admin can sign in: chorus user add"
        f" --login NAME --admin --data-dir {data_dir}"
    )
    if keep_tokens:
        typer.echo("API tokens and invitations are as they were then. Look through them.")
    elif ended.tokens or ended.invitations:
        typer.echo(
            f"Void as well, since some may have been revoked or used up later: {ended.tokens} API"
            f" tokens, {ended.invitations} invitations (--keep-tokens keeps them)."
        )
    typer.echo(
        "People, roles and passwords are those of that time, too: take away again what was taken"
        " away since (docs/backup.md)."
    )
    typer.echo(f"Start with: chorus serve --data-dir {data_dir}")
    for what in damaged:
        typer.echo(f"not restored, damaged in the backup: {what}", err=True)
    if damaged:
        typer.echo("The database and all other files are there.", err=True)


def _moment(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise BackupError("a moment is like 2026-01-31T12:00 or 2026-01-31T12:00+00:00") from None


def _summary(snapshot: Snapshot) -> dict[str, Any]:
    """Without what only a program wants."""
    names = (
        "snapshot_id", "at", "version", "schema", "database_bytes", "files", "file_bytes",
        "new_objects", "new_bytes", "missing", "unreadable", "keys", "seconds",
    )  # fmt: skip
    return {name: getattr(snapshot, name) for name in names}


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


class _Shown:
    """A bar while something goes on; none where the outcome is for a program."""

    def __init__(self, quiet: bool) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
            TimeElapsedColumn(), console=Console(stderr=True), disable=quiet, transient=True,
        )  # fmt: skip
        self._tasks: dict[str, Any] = {}
        self._last = 0.0

    def __enter__(self) -> _Shown:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def progress(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        elif time.monotonic() - self._last < 0.1 and done < total:
            return
        self._last = time.monotonic()
        self._bars.update(self._tasks[what], completed=min(done, total), total=total)


def _or_fail(work: Callable[[], T], as_json: bool) -> T:
    try:
        return work()
    except BackupError as error:
        _fail(str(error), as_json)
    except OSError as error:  # the disk is full, the folder another's …
        _fail(f"{error.filename or 'the disk'}: {error.strerror or error}", as_json)


def _fail(message: str, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(msgspec.json.encode({"error": message}).decode())
    else:
        typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)
