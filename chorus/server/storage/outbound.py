"""Requests that the server makes to addresses that people give: to public hosts only.

The address is looked up once and checked, and the connection goes to what was checked: a name that
leads elsewhere a moment later (DNS rebinding) gains nothing. Redirects are not followed, proxies of
the environment not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 10.0


class Refused(Exception):
    """The address may not be reached from here; the message says why."""


def parts_of(url: str) -> tuple[str, int]:
    """(host, port) of an address that may be a webhook's. Raises `Refused`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused("this is no address") from None
    if parts.scheme not in ("http", "https") or not host or parts.fragment or not url.isascii():
        raise Refused("an address like https://example.org/hook is needed")
    if parts.username is not None or parts.password is not None:
        raise Refused("no name and password in the address: messages are signed instead")
    return host, port or (443 if parts.scheme == "https" else 80)


def public(text: str) -> bool:
    """Is it an address of the public internet?"""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return ip.is_global and not ip.is_multicast


class Outbound:
    """`hosts`: those allowed whatever their address."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = {host.lower() for host in hosts}
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )  # fmt: skip

    async def close(self) -> None:
        await self._http.aclose()

    async def look_up(self, url: str) -> str:
        """The checked IP address of a URL's host. Raises `Refused`."""
        host, port = parts_of(url)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(f"the host name {host} is not known") from None
        addresses = [str(address[0]) for *_, address in found]
        if host.lower() not in self._hosts and not all(public(a) for a in addresses):
            raise Refused(
                f"{host} is not on the public internet; the server's operator can allow it:"
                f" chorus serve --allow-webhook-host {host}"
            )
        return addresses[0].partition("%")[0]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The answer's status; its body is not read. Raises `Refused`, `httpx.HTTPError`."""
        address = await self.look_up(url)
        host, _ = parts_of(url)
        target = httpx.URL(url).copy_with(host=address)
        request = self._http.build_request(
            "POST", target, content=body,
            headers={**headers, "Host": httpx.URL(url).netloc.decode("ascii")},
            extensions={"sni_hostname": host},
        )  # fmt: skip
        async with asyncio.timeout(2 * TIMEOUT_S):
            response = await self._http.send(request, stream=True)
        await response.aclose()
        return response.status_code
