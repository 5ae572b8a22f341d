"""Where a forward proxy may be sent."""

import asyncio

import pytest

from proxy.intercept.reach import Resolve, Unreachable, is_own, look_up, reach


def answering(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> tuple[str, ...]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("169.254.169.254", True),
        ("fe80::1%eth0", True),
        ("224.0.0.1", True),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("1.1.1.1", False),
        ("2606:4700::1", False),
    ],
)
def test_loopback_link_and_groups_are_the_proxys_own(address: str, own: bool) -> None:
    assert is_own(address) is own


def test_the_first_address_is_the_one_that_is_connected_to() -> None:
    assert asyncio.run(reach("a.example", 443, answering("1.1.1.1", "2606:4700::1"))) == "1.1.1.1"


@pytest.mark.parametrize("addresses", [(), ("127.0.0.1",), ("1.1.1.1", "127.0.0.1")])
def test_a_name_with_any_address_of_ours_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(Unreachable) as refused:
        asyncio.run(reach("a.example", 443, answering(*addresses)))
    assert refused.value.status == 403


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example", ""])
def test_a_name_that_cannot_be_found_is_a_502(host: str) -> None:
    with pytest.raises(Unreachable) as refused:
        asyncio.run(reach(host, 443))
    assert refused.value.status in (502, 403)
    assert refused.value.status == 502 or not host


def test_addresses_are_found_as_the_system_finds_them() -> None:
    assert asyncio.run(look_up("127.0.0.1", 1)) == ("127.0.0.1",)
    assert "127.0.0.1" in asyncio.run(look_up("localhost", 1))
