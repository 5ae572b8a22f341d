"""What follows an answer is finished, within a bound, and its failures are told."""

import asyncio

import pytest

from proxy.lifecycle import Lifecycle
from tests.proxy.running import scenario


@scenario
async def test_held_work_is_finished() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append(1)

    lifecycle = Lifecycle()
    lifecycle.hold(work(), "work")
    await lifecycle.finish(5)
    assert done == [1]


@scenario
async def test_work_that_does_not_end_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    lifecycle = Lifecycle()
    lifecycle.hold(asyncio.sleep(60), "endless")
    await lifecycle.finish(0.05)
    assert "endless was cancelled" in caplog.text


@scenario
async def test_a_failure_is_logged_by_kind_and_not_by_content(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise RuntimeError("canary")

    lifecycle = Lifecycle()
    lifecycle.hold(work(), "work")
    await lifecycle.finish(5)
    assert "work failed: RuntimeError" in caplog.text and "canary" not in caplog.text
