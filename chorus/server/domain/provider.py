"""A provider of OpenID Connect."""

from __future__ import annotations

import msgspec


class Provider(msgspec.Struct, frozen=True):
    """How people sign in by OpenID Connect."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    label: str = "your organization's account"
    """On the button: "Sign in with …"."""
    auto_create: bool = False
    """Whoever the provider knows gets an account, without rights."""
