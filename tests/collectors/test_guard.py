"""The guard: nothing inside is reached, however it is written."""

import asyncio
import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from collectors.errors import FetchError
from collectors.guard import AddressGuard, AddressRefused, GuardedResolver

INSIDE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "",
    "no address",
]  # fmt: skip
OUTSIDE = [
    "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    assert AddressGuard().permits(address) is False


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_open_internet_is_permitted(address: str) -> None:
    assert AddressGuard().permits(address) is True


def test_an_allowed_network_is_permitted_and_no_other() -> None:
    guard = AddressGuard([ipaddress.ip_network("127.0.0.0/8")])
    assert guard.permits("127.0.0.1")
    assert guard.permits("::ffff:127.0.0.1")
    assert not guard.permits("169.254.169.254")
    assert not guard.permits("::1")


def test_a_literal_address_in_a_url_is_refused_with_the_way_out_named() -> None:
    with pytest.raises(FetchError) as caught:
        AddressGuard().check_host("http://[::ffff:169.254.169.254]/latest/meta-data/")
    assert caught.value.reason == "address"
    assert "allow_networks" in caught.value.hint


class _Names(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0)
            for a in self._addresses
        ]

    async def close(self) -> None:
        pass


def test_a_name_that_leads_inside_is_refused() -> None:
    resolver = GuardedResolver(AddressGuard(), _Names("10.0.0.1", "169.254.169.254"))
    with pytest.raises(AddressRefused):
        asyncio.run(resolver.resolve("metadata.example"))


def test_of_a_names_addresses_only_those_outside_are_used() -> None:
    resolver = GuardedResolver(AddressGuard(), _Names("10.0.0.1", "8.8.8.8"))
    found = asyncio.run(resolver.resolve("mixed.example"))
    assert [answer["host"] for answer in found] == ["8.8.8.8"]


def test_the_socket_itself_is_refused_whatever_led_there() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80))
    with pytest.raises(AddressRefused):
        AddressGuard().socket(info)
