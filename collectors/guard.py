"""Which addresses may be reached.

What a feed links to comes from outside; without a guard one entry could make Rasid read
the router's page, or a cloud's metadata service at 169.254.169.254. So every connection is
checked three times: the literal address in a URL, each answer of the name server (a name
may point anywhere, and elsewhere the next time), and last the very socket address that is
about to be connected to, which no spelling can slip past.

Refused unless the configuration allows the network, or it is a door of Rasid's own: loopback,
private, link-local, carrier-grade NAT, multicast, reserved and unspecified addresses, and those
that carry such an IPv4 address inside (mapped, 6to4, NAT64).
"""

import ipaddress
import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from collectors.errors import FetchError

IPNetwork = IPv4Network | IPv6Network
Door = tuple[str, int]  # an IP address and the one port of it that may be reached

# IANA's special-purpose registries, written out: `is_global` differs between Pythons.
_REFUSED: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
        "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """The guard's no, as an OSError so that it passes through the connector."""


class AddressGuard:
    """Answers for single addresses. Immutable; share it freely."""

    def __init__(self, allow: Sequence[IPNetwork] = (), doors: Sequence[Door] = ()) -> None:
        self._allow = tuple(allow)
        self._doors = frozenset(doors)

    def permits(self, address: str) -> bool:
        """Whether a connection to this IP address is allowed. False for what is none."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0].strip("[]"))
        except ValueError:
            return False
        return self._permits(ip)

    def check_host(self, url: str) -> None:
        """Refuse a URL (a clean one) whose host is written as an address inside.

        Raises FetchError(address). Names are looked at when they are resolved."""
        netloc = url.split("/", 3)[2]
        ip = _literal(netloc)
        if ip is not None and not self._permits(ip) and not self._is_door(ip, netloc):
            raise FetchError(
                f"{url}: {ip} is an address inside",
                reason="address",
                url=url,
            )

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for a connection, or raise AddressRefused: aiohttp's
        `socket_factory`, the last thing called before connecting."""
        family, kind, proto, _, sockaddr = info
        if (str(sockaddr[0]), sockaddr[1]) not in self._doors and not self.permits(
            str(sockaddr[0])
        ):
            raise AddressRefused(f"{sockaddr[0]} is an address inside")
        return socket.socket(family=family, type=kind, proto=proto)

    def _is_door(self, ip: IPv4Address | IPv6Address, netloc: str) -> bool:
        port = urlsplit(f"//{netloc}").port
        return port is not None and (str(ip), port) in self._doors

    def _permits(self, ip: IPv4Address | IPv6Address) -> bool:
        inner = _inner(ip)
        if any(ip in network for network in self._allow):
            return True
        if inner is not None:
            return self._permits(inner)
        return not any(ip in network for network in _REFUSED)


@lru_cache(maxsize=4096)
def _literal(netloc: str) -> IPv4Address | IPv6Address | None:
    """The address that stands in a URL where a name could."""
    host = urlsplit(f"//{netloc}").hostname or ""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one carries, where packets may end up."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


class GuardedResolver(AbstractResolver):
    """Resolves names to those of their addresses that the guard permits.

    Raises AddressRefused when none remains."""

    def __init__(self, guard: AddressGuard, inner: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        permitted = [answer for answer in found if self._guard.permits(answer["host"])]
        if found and not permitted:
            raise AddressRefused(f"{host} leads to {found[0]['host']}, an address inside")
        return permitted

    async def close(self) -> None:
        await self._inner.close()
