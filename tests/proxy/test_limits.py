"""What is not let in, each with the case beside it that is."""

import pytest

from proxy.headers import Pair
from proxy.limits import Limits, has_body, refusal

HOST: tuple[Pair, ...] = ((b"host", b"localhost:8787"),)


def status(headers: tuple[Pair, ...], path: bytes = b"/v1/messages", method: str = "POST") -> int | None:
    refused = refusal(method, path, headers, Limits())
    return refused.status if refused else None


@pytest.mark.parametrize("host", [b"a", b"127.0.0.1:80", b"[::1]:8787", b"my-host_1.example", b"[fe80::1]"])
def test_a_host_and_a_port_are_a_host(host: bytes) -> None:
    assert status(((b"host", host),)) is None


@pytest.mark.parametrize(
    "host", [b"", b"a/?x=", b"a/b", b"a?b", b"u@a", b"a b", b"a:b", b"a#b", b"[::1", b"a:123456", b"a\\b", b"\xff"]
)
def test_anything_else_is_no_host(host: bytes) -> None:
    assert status(((b"host", host),)) == 400


def test_exactly_one_host() -> None:
    assert status(()) == 400
    assert status(HOST * 2) == 400


def test_two_framings_are_refused() -> None:
    chunked, length = (b"transfer-encoding", b"chunked"), (b"content-length", b"3")
    assert status((*HOST, chunked)) is None and status((*HOST, length)) is None
    assert status((*HOST, chunked, length)) == 400
    assert status((*HOST, length, length)) == 400
    assert status((*HOST, (b"transfer-encoding", b"gzip, chunked"))) == 400


def test_heads_are_bounded_in_number_and_size() -> None:
    assert status((*HOST, *((b"a", b"b"),) * 199)) is None
    assert status((*HOST, *((b"a", b"b"),) * 200)) == 431
    assert status((*HOST, (b"a", b"x" * 65_000))) is None
    assert status((*HOST, (b"a", b"x" * 66_000))) == 431


def test_a_target_is_a_path() -> None:
    assert status(HOST, b"*", "OPTIONS") == 400
    assert status(HOST, b"/", "CONNECT") == 400


def test_a_body_is_announced_by_its_framing() -> None:
    assert has_body(((b"content-length", b"1"),)) and has_body(((b"transfer-encoding", b"chunked"),))
    assert not has_body(((b"content-length", b"0"),)) and not has_body(HOST)
