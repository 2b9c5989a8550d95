"""Files that lie elsewhere: in a bucket of S3, Google or Azure, or in a folder the operator allows.

Everything here blocks, and runs in threads. Whatever goes wrong becomes `Trouble`, with words for
the person whose source it is; what a server answers is never shown, only what it means.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import msgspec
import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, S3Store

from chorus.server.domain.sources import Address, Found
from chorus.server.storage.azure import container_sas
from chorus.server.storage.guard import Guard, Refused

CHUNK = 1 << 20
LISTED = 1000
"""Files of a listing that come together."""
PATIENCE_S = 30
RETRIES = 2
SIGNED_FOR = timedelta(minutes=5)


class Trouble(Exception):
    """kind: `gone` (no such file), `denied`, `unreachable`, `wrong` (the settings are)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Credentials(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Write-only. Which ones go together: domain/sources.NEEDS."""

    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    service_account: str = ""
    """The JSON of a key file."""
    account_key: str = ""
    sas_token: str = ""

    def given(self) -> set[str]:
        return {name for name in self.__struct_fields__ if getattr(self, name)}


class Remote(Protocol):
    """One place where files lie."""

    def listing(self) -> Iterator[list[Found]]:
        """All files below the address, in parts, in any order. Raises `Trouble`."""
        ...

    def fetch(self, name: str, target: Path, most: int) -> None:
        """Write a file of at most `most` bytes to `target`. Raises `Trouble`."""
        ...


def open_remote(
    address: Address, endpoint: str, region: str, account: str, credentials: Credentials,
    guard: Guard,
) -> Remote:  # fmt: skip
    """Raises `Trouble` for what can be known without asking there."""
    try:
        if address.kind == "file":
            return Folder(guard.folder(Path(address.prefix)))
        if endpoint:
            guard.endpoint(endpoint)
        return Bucket(address, endpoint, region, account, credentials)
    except Refused as error:
        raise Trouble("wrong", str(error)) from None


class Folder:
    """A folder of this machine, and nothing outside of it, wherever links in it lead."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def listing(self) -> Iterator[list[Found]]:
        part: list[Found] = []

        def fail(error: OSError) -> None:
            raise Trouble("denied", f"{error.filename} cannot be read: {error.strerror}")

        if not self._root.is_dir():
            raise Trouble("wrong", f"there is no folder {self._root} on the server")
        for folder, folders, files in os.walk(self._root, onerror=fail):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(folder, name)
                found = None if name.startswith(".") else self._found(path)
                if found is not None:
                    part.append(found)
                if len(part) >= LISTED:
                    yield part
                    part = []
        yield part

    def _found(self, path: Path) -> Found | None:
        try:
            if not self._inside(path) or not path.is_file():
                return None
            stat = path.stat()
            name = path.relative_to(self._root).as_posix()
            name.encode()
        except (OSError, UnicodeEncodeError):
            return None
        return Found(name, stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}")

    def _inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._root)

    def fetch(self, name: str, target: Path, most: int) -> None:
        path = self._root / name
        try:
            if not self._inside(path):
                raise Trouble("gone", "it leads out of its folder")
            with path.open("rb") as source:
                _copy(iter(lambda: source.read(CHUNK), b""), target, most)
        except FileNotFoundError:
            # A disk that is not mounted has lost nothing.
            if not self._root.is_dir():
                raise Trouble("unreachable", "its folder is not there") from None
            raise Trouble("gone", "it is no longer there") from None
        except OSError as error:
            raise Trouble("denied", f"it cannot be read: {error.strerror or error}") from None


class Bucket:
    """A bucket (Azure: a container) of an object store."""

    def __init__(
        self, address: Address, endpoint: str, region: str, account: str,
        credentials: Credentials,
    ) -> None:  # fmt: skip
        self._address = address
        self._endpoint = endpoint.rstrip("/")
        self._account = account
        self._credentials = credentials
        with _own_settings_only():
            try:
                self._store = _store(address, self._endpoint, region, account, credentials)
            except (BaseError, ValueError, TypeError) as error:
                raise meaning(error, address) from None

    def listing(self) -> Iterator[list[Found]]:
        prefix = self._address.prefix
        try:
            for part in obstore.list(self._store, prefix or None, chunk_size=LISTED):
                found = []
                for file in part:
                    name = file["path"][len(prefix) :].lstrip("/")
                    hidden = any(p.startswith((".", "__MACOSX")) for p in name.split("/"))
                    if name and not hidden:
                        version = file["e_tag"] or f"{file['size']}-{file['last_modified']}"
                        found.append(Found(name, file["size"], version))
                yield found
        except (BaseError, OSError, ValueError) as error:
            raise meaning(error, self._address) from None

    def fetch(self, name: str, target: Path, most: int) -> None:
        key = f"{self._address.prefix}/{name}" if self._address.prefix else name
        try:
            if self._endpoint:
                self._from_endpoint(key, target, most)
                return
            chunks = obstore.get(self._store, key).stream(min_chunk_size=CHUNK)
            _copy((bytes(chunk) for chunk in chunks), target, most)
        except (FileNotFoundError, NotFoundError):
            raise Trouble("gone", "it is no longer there") from None
        except (BaseError, httpx.HTTPError, ValueError) as error:
            raise meaning(error, self._address) from None

    def _from_endpoint(self, key: str, target: Path, most: int) -> None:
        """From a server that an admin has named. It may not send us on to another one: what that
        answers would come in as a picture or text, and be shown."""
        with (
            httpx.Client(timeout=PATIENCE_S, follow_redirects=False, trust_env=False) as http,
            http.stream("GET", self._signed(key)) as answer,
        ):
            if answer.status_code == 404:
                raise Trouble("gone", "it is no longer there")
            if answer.is_redirect:
                raise Trouble("wrong", "the server sends us on to another: that is not allowed")
            if not answer.is_success:
                answer.read()
                raise meaning(
                    ValueError(f"status code: {answer.status_code} {answer.text}"), self._address
                )
            _copy(answer.iter_bytes(CHUNK), target, most)

    def _signed(self, key: str) -> str:
        """A file's address at the endpoint, good for some minutes if it needs credentials."""
        given, container = self._credentials, self._address.bucket
        url = f"{self._endpoint}/{container}/{quote(key)}"
        if given.sas_token:
            return f"{url}?{given.sas_token.lstrip('?')}"
        if given.account_key:
            until = datetime.now(UTC) + SIGNED_FOR
            return f"{url}?{container_sas(self._account, container, given.account_key, until)}"
        if given.given():
            return str(obstore.sign(self._store, "GET", key, SIGNED_FOR))
        return url


def _store(
    address: Address, endpoint: str, region: str, account: str, credentials: Credentials
) -> Any:
    client: Any = {
        "timeout": timedelta(seconds=10 * PATIENCE_S),
        "read_timeout": timedelta(seconds=PATIENCE_S),
        "connect_timeout": timedelta(seconds=10),
        "allow_http": endpoint.startswith("http://"),
    }
    retry: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=PATIENCE_S)}
    how: dict[str, Any] = {"client_options": client, "retry_config": retry}
    if endpoint:
        how["endpoint"] = endpoint
    if not credentials.given():
        # Nobody's: never those that this machine may have.
        how["skip_signature"] = True
    if address.kind == "s3":
        keys = {
            "access_key_id": credentials.access_key,
            "secret_access_key": credentials.secret_key,
            "session_token": credentials.session_token,
        }
        how |= {name: value for name, value in keys.items() if value}
        return S3Store(address.bucket, region=region or "us-east-1", **how)
    if address.kind == "gs":
        if credentials.service_account:
            how["service_account_key"] = _service_account(credentials.service_account)
        how.pop("endpoint", None)
        return GCSStore(address.bucket, **how)
    if credentials.sas_token:
        how["sas_token"] = credentials.sas_token.lstrip("?")
    if credentials.account_key:
        how["account_key"] = credentials.account_key
    return AzureStore(address.bucket, account_name=account, **how)


def _service_account(text: str) -> str:
    """Only what says who we are: a key file can also name servers to talk to."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
        return msgspec.json.encode(
            {
                "type": "service_account",
                **{k: str(found[k]) for k in ("private_key", "private_key_id", "client_email")},
            }
        ).decode()
    except (msgspec.DecodeError, KeyError):
        raise Trouble(
            "wrong", "service_account: the JSON of a service account's key file is needed"
        ) from None


def _copy(chunks: Iterator[bytes], target: Path, most: int) -> None:
    left = most
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise Trouble("wrong", f"it has more than the {most / 1e6:.0f} MB that are allowed")
            out.write(chunk)


_environment = threading.Lock()


@contextlib.contextmanager
def _own_settings_only() -> Iterator[None]:
    """A source has its own credentials: what the server's environment has for other programs must
    not mix with them."""
    with _environment:
        hidden = {
            name: os.environ.pop(name)
            for name in list(os.environ)
            if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "MSI_", "IDENTITY_"))
        }
        try:
            yield
        finally:
            os.environ.update(hidden)


_CODE = re.compile(r"<Code>(\w+)</Code>")
_PATH = re.compile(r'invalid path: [^"]*"([^"]*)"')
_STATUS = re.compile(r"status code: (\d{3})")
_WRONG_KEY = {
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "InvalidToken": "the session token is not valid",
    "ExpiredToken": "the session token has expired",
    "AuthenticationFailed": "the account key or SAS token is wrong, or has expired",
    "InvalidAuthenticationInfo": "the account key or SAS token is wrong",
}
_DENIED = (
    "AccessDenied", "AllAccessDisabled", "AuthorizationFailure", "NoAuthenticationInformation",
    "AuthorizationPermissionMismatch", "PublicAccessNotPermitted", "AccountIsDisabled",
)  # fmt: skip
_NETWORK: Sequence[tuple[str, str]] = (
    (r"dns error|failed to lookup|Name or service|No address", "its host name is not known"),
    (r"ConnectionRefused|Connection refused", "nothing answers at its address"),
    (r"[Cc]ertificate|UnknownIssuer", "its certificate is not trusted"),
    (r"TimedOut|timed out|timeout", "it does not answer in time"),
    (r"error sending request|ConnectError|NetworkUnreachable|unreachable", "no connection to it"),
)


def meaning(error: Exception, address: Address) -> Trouble:
    """What an error of a store means."""
    if isinstance(error, Trouble):
        return error
    text = f"{type(error).__name__} {error}"
    what = f"{'container' if address.kind == 'az' else 'bucket'} {address.bucket}"
    code = found[1] if (found := _CODE.search(text)) else ""
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    if found := _PATH.search(text):
        return Trouble(
            "wrong",
            f"a file in the {what} has a path that cannot be read here, and must be renamed:"
            f" {found[1]!r} (no part of it may be empty, . or .., nor have control characters)",
        )
    if code in ("NoSuchBucket", "ContainerNotFound") or (status == 404 and not code):
        return Trouble("wrong", f"there is no {what}")
    if code in _WRONG_KEY:
        return Trouble("wrong", f"wrong credentials: {_WRONG_KEY[code]}")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"):
        return Trouble("wrong", f"the {what} is in another region: name its region")
    if status == 301:
        return Trouble("wrong", f"the {what} is in another region: name its region")
    if code in _DENIED or status == 403:
        return Trouble("denied", f"no permission to read the {what} with these credentials")
    if status == 401 or "invalid_grant" in text:
        return Trouble("wrong", "wrong credentials: they are not accepted there")
    if re.search(r"ReadPem|Invalid Access Key|InvalidAccessKey|InvalidKey|DecodeKey", text):
        return Trouble("wrong", "wrong credentials: the key is damaged, or not all of it is here")
    if status >= 500:
        return Trouble("unreachable", f"the server of the {what} has trouble of its own ({status})")
    for pattern, words in _NETWORK:
        if re.search(pattern, text):
            return Trouble("unreachable", f"the server of the {what} cannot be reached: {words}")
    if "invalid list response" in text or "InvalidListResponse" in text:
        return Trouble("wrong", "what answers there is no object store")
    numbers = f" ({' '.join(str(n) for n in (code, status) if n)})" if code or status else ""
    return Trouble("unreachable", f"the {what} cannot be read{numbers}")
