"""Addresses that open a container of Azure's for a while, signed here.

obstore signs them too, but for one file and over the encoded form of its name, where Azure takes
the name itself: files with a space or an ä in their names are then refused. A signature for the
container needs no file names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlencode

VERSION = "2020-12-06"
"""Of the storage service, which decides the fields that are signed."""


def container_sas(
    account: str, container: str, account_key: str, until: datetime, may: str = "r"
) -> str:
    """The query of addresses by which a container's files may be read (r), listed (l) … until then
    (UTC).

    A service SAS (Microsoft, Azure Storage REST: "Create a service SAS", version 2020-12-06).

    account_key: base64. Raises `ValueError` if it is not.
    """
    expiry = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    resource = f"/blob/{account}/{container}"
    # Permission, start, expiry, resource, identifier, addresses, protocol, version, kind; and
    # seven more about snapshots, encryption and headers of answers.
    signed = [may, "", expiry, resource, "", "", "", VERSION, "c", *[""] * 7]
    key = base64.b64decode(account_key, validate=True)
    signature = hmac.new(key, "\n".join(signed).encode(), hashlib.sha256).digest()
    return urlencode(
        {
            "sv": VERSION, "sr": "c", "sp": may, "se": expiry,
            "sig": base64.b64encode(signature).decode(),
        }
    )  # fmt: skip
