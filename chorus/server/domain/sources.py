"""Data sources: what their addresses mean, and when they are due. Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

Kind = Literal["s3", "gs", "az", "file"]
Mode = Literal["copy", "reference"]
ObjectState = Literal["new", "in", "faulty", "changed", "gone"]
SCHEMES: dict[str, Kind] = {
    "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az",
    "file": "file",
}  # fmt: skip
MINUTE_MS = 60_000
EVERY_MIN, EVERY_MAX = 1, 60 * 24 * 31
"""Minutes between refreshes."""
_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,221}[a-zA-Z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
NEEDS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "s3": (("access_key", "secret_key"), ("access_key", "secret_key", "session_token")),
    "gs": (("service_account",),),
    "az": (("account_key",), ("sas_token",)),
    "file": (),
}
"""Which credentials go together; none at all means that everybody may read it."""


class Address(msgspec.Struct, frozen=True):
    """Where the files lie."""

    kind: Kind
    bucket: str
    """Or container; of a folder empty."""
    prefix: str
    """Below it, without slashes at its ends; of a folder its absolute path."""


class Source(msgspec.Struct):
    source_id: str
    project_id: str
    name: str
    url: str
    mode: Mode
    endpoint: str
    """Of a server of one's own; empty: the provider's."""
    region: str
    account: str
    secret: str | None
    """Credentials, encrypted."""
    every_ms: int | None
    next_at: int | None
    last_job: str | None
    created_by: str
    created_at: int
    removed_at: int | None


class Found(msgspec.Struct, frozen=True):
    """A file as a listing shows it."""

    name: str
    """Its path below the address."""
    size: int
    version: str
    """Differs when its content does: an ETag, or size and time."""


class ObjectRow(NamedTuple):
    """A file as it is kept."""

    name: str
    version: str
    size: int
    state: ObjectState
    content_hash: str | None
    """Of what came in."""
    reason: str | None
    """Why it did not."""


def seen(row: ObjectRow | None, found: Found) -> ObjectRow | None:
    """What becomes of a file's row when a listing shows the file; None: nothing.

    A file that looks different is read again: its content tells whether it has changed.
    """
    if row is None:
        return ObjectRow(found.name, found.version, found.size, "new", None, None)
    if row.version != found.version:
        return row._replace(version=found.version, size=found.size, state="new", reason=None)
    return row._replace(state="in") if row.state == "gone" else None


def missed(row: ObjectRow) -> ObjectRow | None:
    """What becomes of a file's row when a whole listing does not show it; None: it is forgotten,
    since nothing of it came in."""
    if row.content_hash is None:
        return None
    # Only if it was as it came in, the same version is that again once it is back.
    version = row.version if row.state in ("in", "gone") else ""
    return row._replace(version=version, state="gone", reason=None)


def read(row: ObjectRow, content_hash: str) -> ObjectRow:
    """What becomes of a file's row when it has been read."""
    if row.content_hash is None or row.content_hash == content_hash:
        return row._replace(state="in", content_hash=content_hash, reason=None)
    return row._replace(state="changed", reason="its content is no longer what came in")


def refused(row: ObjectRow, reason: str, for_good: bool) -> ObjectRow:
    """… when it could not be. for_good: unless it looks different, trying again is of no use."""
    version = row.version if for_good else ""
    return row._replace(version=version, state="faulty", reason=reason)


def address_of(url: str) -> Address:
    """Raises `ValueError`, in words for the person who typed it."""
    parts = urlsplit(url.strip())
    kind = SCHEMES.get(parts.scheme.lower())
    if kind is None:
        raise ValueError("an address begins with s3://, gs://, az:// or file://")
    if parts.query or parts.fragment:
        raise ValueError("an address has no ? or # in it; keys and tokens have fields of their own")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError("an address has no login, password or port in it")
    path = unquote(parts.path)
    if kind == "file":
        if parts.netloc or not path.startswith("/"):
            raise ValueError("a folder's address is file:///its/path")
        return Address("file", "", path)
    if not _BUCKET.fullmatch(parts.netloc):
        what = "container" if kind == "az" else "bucket"
        raise ValueError(f"the address needs the name of a {what}: {kind}://{what}/folder")
    prefix = path.strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError("the path in the address has an empty part, or . or ..")
    return Address(kind, parts.netloc, prefix)


def check_options(kind: Kind, region: str, account: str) -> None:
    """Raises `ValueError`. Both become parts of host names, so they are held to letters."""
    if region and not _REGION.fullmatch(region):
        raise ValueError("a region is like eu-central-1")
    if kind == "az" and not _ACCOUNT.fullmatch(account):
        raise ValueError("account: a storage account's name is 3 to 24 letters and digits")


def check_credentials(kind: Kind, given: set[str]) -> None:
    """given: the names of the fields that are not empty. Raises `ValueError`."""
    if not given or any(given == set(names) for names in NEEDS[kind]):
        return
    if not NEEDS[kind]:
        raise ValueError("a folder has no credentials")
    ways = " or ".join(" and ".join(names) for names in NEEDS[kind])
    raise ValueError(f"credentials of {kind}:// are {ways}, or none at all")


def due_at(every_ms: int | None, now: int) -> int | None:
    """When the next refresh begins, if one has just begun."""
    return None if every_ms is None else now + every_ms


def is_due(next_at: int | None, every_ms: int | None, now: int) -> bool:
    """Also if it is further off than one turn: then the clock has been set back."""
    if next_at is None:
        return False
    return next_at <= now or (every_ms is not None and next_at > now + every_ms)
