"""What a source may not reach, however it is written down.

A server of Chorus stands inside a network; who names an endpoint makes it send requests there. The
addresses at which clouds hand credentials to their machines (link-local) are never meant.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

METADATA = frozenset(
    ipaddress.ip_address(a)
    for a in ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254")
)
"""Those of clouds whose address is not link-local: Alibaba, Oracle, Azure, Amazon over IPv6."""


class Refused(Exception):
    """Not allowed here; the message says what the operator could change."""


class Guard:
    """folders: those below which file:// may read; hosts: those allowed whatever their address."""

    def __init__(self, folders: Sequence[Path], hosts: Sequence[str]) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._hosts = {host.lower() for host in hosts}

    def folder(self, path: Path) -> Path:
        """The real path of a folder that may be read. Raises `Refused`."""
        real = path.resolve()
        if not self._folders:
            raise Refused(
                "file:// is not allowed on this server; its operator can allow folders:"
                " chorus serve --allow-folder /srv/pictures"
            )
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise Refused("this folder is not below those that the server's operator allows")
        return real

    def endpoint(self, url: str) -> None:
        """Raises `Refused` for an address that is none, or that is not allowed."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise Refused("endpoint: an address like https://minio.example.org is needed")
        if parts.username or parts.password:
            raise Refused("endpoint: credentials have fields of their own")
        if host.lower() in self._hosts:
            return
        try:
            found = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(f"endpoint: the host name {host} is not known") from None
        for *_, address in found:
            ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if _forbidden(ip):
                raise Refused(
                    f"endpoint: {host} is at an address that is not allowed; the server's operator"
                    f" can allow it: chorus serve --allow-endpoint {host}"
                )


def _forbidden(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    inner = ip.ipv4_mapped or ip.sixtofour if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None and _forbidden(inner):
        return True
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in METADATA
