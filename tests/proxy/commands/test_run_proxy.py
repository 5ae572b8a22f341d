"""The proxy of a run: there when the agent starts, settled when it has ended, no end of the agent when it fails."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from proxy.commands.run_proxy import running
from proxy.server import Address

HERE, ADMIN = Address("127.0.0.1", 4242), Address("127.0.0.1", 4243)
Started = Callable[[Address, Address | None], None]


def test_it_says_where_it_is_and_is_left_only_when_it_has_ended() -> None:
    ended = []

    async def serve(*, started: Started, stop: asyncio.Event) -> None:
        started(HERE, ADMIN)
        await stop.wait()
        await asyncio.sleep(0.05)  # what it settles
        ended.append(True)

    with running(serve) as url:
        assert (url, ended) == ("http://127.0.0.1:4242", [])
    assert ended == [True]


def test_what_keeps_it_from_starting_is_raised() -> None:
    async def serve(*, started: Started, stop: asyncio.Event) -> None:
        raise OSError("the store cannot be opened")

    with pytest.raises(OSError, match="the store cannot be opened"), running(serve):
        raise AssertionError("begun all the same")


def test_a_fault_while_it_runs_is_logged_and_leaves_the_agent_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(*, started: Started, stop: asyncio.Event) -> None:
        started(HERE, None)
        raise RuntimeError("a fault")

    with caplog.at_level(logging.INFO, "holdfast.run"), running(serve) as url:
        assert url == HERE.url
    assert "the proxy ended before the agent did" in caplog.text


def test_it_ends_with_an_agent_that_cannot_be_run() -> None:
    ended = []

    async def serve(*, started: Started, stop: asyncio.Event) -> None:
        started(HERE, ADMIN)
        await stop.wait()
        ended.append(True)

    with pytest.raises(RuntimeError), running(serve):
        raise RuntimeError("no such agent")
    assert ended == [True]
