"""From settings to what the driver uses."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import pytest

from policies.core.lineage import Record
from policies.routes import OFF
from proxy import exchange
from proxy.commands import serve, wiring
from proxy.commands.wiring import keep_pruned, open_context, open_metrics, readiness
from proxy.config import Live, Override, Request, load_settings
from proxy.dialects.registry import by_name
from proxy.errors import StoreError
from proxy.profiles import FALLBACK
from proxy.store.memory import MemoryStore

NOW = 1_700_000_000.0


def context(**environ: str) -> exchange.Context:
    request = Request(environ={"HOLDFAST_STORE": "memory:", **environ})
    settings = load_settings(request)
    return open_context(settings, Live(request, settings), open_metrics(settings).emit)


def asked(policy: str = "", upstream: str = "anthropic") -> exchange.Request:
    return exchange.Request(upstream, by_name("anthropic_messages"), "/v1/messages", b"", policy=policy)


def test_a_model_has_its_own_profile_unless_the_upstream_names_one() -> None:
    environ = {"HOLDFAST_UPSTREAMS__LOCAL": "{url: 'http://127.0.0.1:8000', profile: vllm}"}
    profile = context(**environ).profile
    assert profile("claude-sonnet-4-5", "anthropic").name == "claude-sonnet-4-5"
    assert profile("claude-sonnet-4-5", "local").name == "vllm"
    assert profile("nonsense", "anthropic") is FALLBACK
    assert profile("claude-sonnet-4-5", "local") is profile("claude-sonnet-4-5", "local")


def test_names_of_models_that_clients_make_up_do_not_fill_the_memory() -> None:
    profile = context().profile
    for number in range(1001):
        assert profile(f"made-up-{number}", "anthropic") is FALLBACK


def test_the_policy_of_a_request_is_that_of_its_route_or_the_one_asked_for() -> None:
    environ = {"HOLDFAST_ROUTES": "[{match: {model: 'claude-*'}, policy: aggressive}, {policy: observe}]"}
    policy = context(**environ).policy
    assert policy(asked(), "claude-x").name == "aggressive"
    assert policy(asked(), "gpt-5").name == "observe"
    assert policy(asked("default"), "gpt-5").name == "default"
    assert policy(asked("off"), "claude-x") == OFF


def test_a_reloaded_policy_is_the_one_of_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.yaml"
    file.write_text("routes: [{policy: observe}]\nstore: 'memory:'\n")
    request = Request(file)
    settings = load_settings(request)
    live = Live(request, settings)
    policy = open_context(settings, live, open_metrics(settings).emit).policy
    assert policy(asked(), "m").name == "observe"
    file.write_text("routes: [{policy: aggressive}]\nstore: 'memory:'\n")
    live.poll(NOW)
    assert policy(asked(), "m").name == "aggressive"


def test_tenants_are_told_apart_with_the_configured_key() -> None:
    one, other = context(HOLDFAST_TENANT_KEY="a" * 32), context(HOLDFAST_TENANT_KEY="b" * 32)
    assert exchange.tenant_of(one, b"sk-x") != exchange.tenant_of(other, b"sk-x")
    assert exchange.tenant_of(one, b"sk-x") == exchange.tenant_of(context(HOLDFAST_TENANT_KEY="a" * 32), b"sk-x")


class Broken(MemoryStore):
    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        raise StoreError("locked")


def test_readiness_asks_the_store_and_says_what_is_wrong_with_it() -> None:
    async def answer(of: exchange.Context) -> str:
        return await readiness(of)()

    usable, broken = context(), context()
    broken.store = Broken()
    assert asyncio.run(answer(usable)) == ""
    assert asyncio.run(answer(broken)) == "the store cannot be used: locked"


class Counting(MemoryStore):
    """Fails every other time."""

    def __init__(self) -> None:
        super().__init__()
        self.pruned: list[float] = []

    async def prune(self, now: float) -> int:
        self.pruned.append(now)
        if len(self.pruned) % 2:
            raise StoreError("locked")
        return 0


def test_store_and_archive_are_pruned_again_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "PRUNE_EVERY", 0.0)
    store, pruned = Counting(), context()
    pruned.store = store

    async def until_pruned() -> None:
        pruning = asyncio.get_running_loop().create_task(keep_pruned(pruned, lambda: NOW))
        while len(store.pruned) < 4:
            await asyncio.sleep(0)
        pruning.cancel()

    asyncio.run(asyncio.wait_for(until_pruned(), 5))
    assert store.pruned[:4] == [NOW] * 4


def test_flags_that_are_not_given_leave_file_and_environment_alone(tmp_path: Path) -> None:
    flags = dict.fromkeys(serve.FLAGS)
    args = Namespace(**{**flags, "port": "1"}, upstream=[("x", "http://h")], policy="", config=None)
    request = serve.request(args, {"HOLDFAST_CONFIG": str(tmp_path / "c.yaml")})
    assert request.file == tmp_path / "c.yaml"
    assert request.flags == (
        Override(("port",), "1", "--port"),
        Override(("upstreams", "x", "url"), "http://h", "--upstream"),
    )
    args.config = "mine.yaml"
    assert serve.request(args, {}).file == Path("mine.yaml")
