"""Readiness is an answer, also when nobody gives one."""

import asyncio

import pytest

from proxy import probes
from proxy.lifecycle import Lifecycle
from proxy.probes import probe
from tests.proxy.running import scenario


@scenario
async def test_other_paths_are_no_probes() -> None:
    assert await probe(b"/healthz/", probes.always_ready, Lifecycle()) is None


@scenario
async def test_readiness_that_hangs_is_no_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging() -> str:
        await asyncio.sleep(60)
        return ""

    monkeypatch.setattr(probes, "PATIENCE", 0.05)
    answered = await probe(b"/readyz", hanging, Lifecycle())
    assert answered is not None and answered[0] == 503
    assert await probe(b"/healthz", hanging, Lifecycle()) == (200, "ok")
