"""One patience: extended by progress, cut by whoever knows better."""

import asyncio

import pytest

from proxy.deadline import Cause, Deadline, Expired
from tests.proxy.running import scenario


@scenario
async def test_the_phase_that_ran_out_is_the_cause() -> None:
    with pytest.raises(Expired) as caught:
        async with Deadline() as deadline:
            deadline.allow(5, Cause.FIRST_BYTE)
            deadline.allow(0.05, Cause.IDLE)
            await asyncio.sleep(5)
    assert caught.value.cause is Cause.IDLE


@scenario
async def test_progress_extends_it() -> None:
    async with Deadline() as deadline:
        for _ in range(10):
            deadline.allow(0.2, Cause.IDLE)
            await asyncio.sleep(0.05)


@scenario
async def test_a_departure_outlasts_any_later_extension() -> None:
    with pytest.raises(Expired) as caught:
        async with Deadline() as deadline:
            deadline.cut(Cause.DISCONNECTED)
            deadline.allow(5, Cause.IDLE)
            await asyncio.sleep(5)
    assert caught.value.cause is Cause.DISCONNECTED


@scenario
async def test_nothing_happens_after_it_is_over() -> None:
    async with Deadline() as deadline:
        deadline.allow(5, Cause.IDLE)
    deadline.cut(Cause.DISCONNECTED)
    deadline.allow(0.0, Cause.IDLE)
    await asyncio.sleep(0)


@scenario
async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        async with Deadline() as deadline:
            deadline.allow(5, Cause.IDLE)
            await asyncio.sleep(5)

    task = asyncio.get_running_loop().create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
