"""What planning a turn costs: `python -m bench.prepare`.

For contexts of 4k to 512k tokens: p50 of `prepare` for the first turn, for a warm turn that adds about
a thousand tokens, and for the first turn after a restart, each as a ratio to msgspec decoding the same
body into raw slices. Ratios, because machines differ and are noisy; the warm one is the promise: it
follows what is new, plus one scan of the body.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from policies.policy import Policy
from proxy import exchange
from proxy.archive.memory import MemoryArchive
from proxy.dialects import Dialect
from proxy.dialects.registry import by_name
from proxy.memo import Memo
from proxy.profiles import load_profiles, profile_for
from proxy.store import Store
from proxy.store.open import open_store
from proxy.tables import render
from proxy.tokens import Counters

NOW = 1_800_000_000.0
MODELS = {"openai_chat": "gpt-5.1", "anthropic_messages": "claude-sonnet-4-5"}
PATHS = {"openai_chat": "/v1/chat/completions", "anthropic_messages": "/v1/messages"}


class Nobody:
    """A witness that counts nothing."""

    def accounted(self, settled: exchange.Settled) -> None: ...

    def degraded(self, what: str, reason: str) -> None:
        raise AssertionError(f"{what}: {reason}")


class Agent:
    """A made-up coding agent: a call and an observation a step, texts of words with separators."""

    def __init__(self, dialect: str, seed: int) -> None:
        self.dialect, self.random = dialect, random.Random(seed)
        self.words = ["".join(self.random.choices("abcdefghijklmnop", k=6)) for _ in range(4000)]
        self.messages: list[dict[str, object]] = [{"role": "user", "content": "Fix the failing test."}]
        self.steps = itertools.count()

    def step(self, tokens: int) -> None:
        """One call and its observation of about this many tokens."""
        number = next(self.steps)
        call, text = f"call_{number}", self._text(tokens)
        if self.dialect == "openai_chat":
            function = {"name": "bash", "arguments": json.dumps({"command": f"cat file_{number}.py"})}
            made = {"id": call, "type": "function", "function": function}
            self.messages += [
                {"role": "assistant", "content": self._text(40), "tool_calls": [made]},
                {"role": "tool", "tool_call_id": call, "content": text},
            ]
            return
        use = {"type": "tool_use", "id": call, "name": "bash", "input": {"command": f"cat file_{number}.py"}}
        self._unmark()
        result = {"type": "tool_result", "tool_use_id": call, "content": text, "cache_control": {"type": "ephemeral"}}
        self.messages += [
            {"role": "assistant", "content": [{"type": "text", "text": self._text(40)}, use]},
            {"role": "user", "content": [result]},
        ]

    def body(self) -> bytes:
        """The request as it stands."""
        tools = [{"type": "function", "function": {"name": f"tool_{n}", "parameters": {}}} for n in range(20)]
        if self.dialect == "openai_chat":
            return json.dumps({"model": MODELS[self.dialect], "messages": self.messages, "tools": tools}).encode()
        named = [{"name": f"tool_{n}", "input_schema": {"type": "object"}} for n in range(20)]
        system = [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}]
        body = {"model": MODELS[self.dialect], "max_tokens": 8000, "system": system, "tools": named}
        return json.dumps({**body, "messages": self.messages}).encode()

    def _text(self, tokens: int) -> str:
        return "\n".join(" ".join(self.random.choices(self.words, k=8)) for _ in range(max(1, tokens // 24)))

    def _unmark(self) -> None:
        content = self.messages[-1]["content"]
        if isinstance(content, list):
            content[-1].pop("cache_control", None)


def context(store: Store, counters: Counters) -> exchange.Context:
    profiles = load_profiles()
    known = {model: profile_for(profiles, model) for model in MODELS.values()}
    policy = Policy(name="default")
    return exchange.Context(
        store=store,
        archive=MemoryArchive(),
        memo=Memo(seed=1),
        profile=lambda model, upstream: known[model],
        counter=counters.counter,
        policy=lambda request, model: policy,
        witness=Nobody(),
    )


def requests(agent: Agent, dialect: Dialect, size: int, turns: int) -> Iterator[exchange.Request]:
    """A request of about `size` tokens, then one for each turn that adds a thousand."""
    while sum(len(str(message)) for message in agent.messages) < size * 3:
        agent.step(900)
    for _ in range(turns + 1):
        yield exchange.Request("bench", dialect, PATHS[dialect.name], agent.body(), b"sk-bench")
        agent.step(900)


def best(work: Callable[[], object], rounds: int) -> float:
    """Median seconds."""
    return statistics.median(_timed(work) for _ in range(rounds))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def measure(name: str, size: int, turns: int, counters: Counters, folder: Path) -> tuple[str, ...]:
    """One row: ratios of first, warm and restarted turns to the decoding of the same body."""
    dialect, store_url = by_name(name), f"sqlite:///{folder / f'{name}{size}.db'}"
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    slices = msgspec.json.Decoder(list[msgspec.Raw])
    warm: list[float] = []
    ratios: list[float] = []
    live = context(open_store(store_url), counters)
    first = 0.0
    plain = 0.0
    few = min(turns, max(4, size // 4000))  # so that a small context stays small
    for number, request in enumerate(requests(Agent(name, size), dialect, size, few)):
        now = NOW + 10 * number
        began = time.perf_counter()
        prepared = await exchange.prepare(request, live, now)
        spent = time.perf_counter() - began
        plain = best(lambda body=request.body: slices.decode(decoder.decode(body)["messages"]), 15)  # type: ignore[misc]
        one = best(lambda body=request.body: decoder.decode(body), 15)  # type: ignore[misc]
        if number == 0:
            first = spent / one
        else:
            warm.append(spent)
            ratios.append(spent / one)
        await exchange.settle(prepared, live, None, now)
    await live.store.close()
    again = context(open_store(store_url), counters)
    began = time.perf_counter()
    await exchange.prepare(request, again, now + 10)
    restarted = (time.perf_counter() - began) / one
    await again.store.close()
    return (
        name,
        f"{size // 1000}k",
        f"{len(request.body) // 1000:,} kB",
        f"{one * 1e3:.3f}",
        f"{plain / one:.1f}",
        f"{statistics.median(warm) * 1e3:.3f}",
        f"{statistics.median(ratios):.1f}",
        f"{first:.0f}",
        f"{restarted:.0f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="ratios of `prepare` to decoding the same body")
    parser.add_argument("--turns", type=int, default=40, help="warm turns of each size (40)")
    parser.add_argument("--sizes", default="4000,32000,128000,512000", help="tokens, comma separated")
    args = parser.parse_args()
    counters = Counters()
    counters.load("o200k_base")
    header = ("dialect", "tokens", "body", "decode ms", "2 scans x", "warm ms", "warm x", "first x", "restart x")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            for size in map(int, args.sizes.split(",")):
                rows.append(asyncio.run(measure(name, size, args.turns, counters, Path(folder))))
    print(render(header, rows, width=110))


if __name__ == "__main__":
    main()
