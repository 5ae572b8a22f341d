"""The simulated provider without a socket, a clock that tests set, and profiles of made-up models."""

import json
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
from msgspec.structs import replace

from policies.core.profile import (
    Breakpoints,
    CacheRule,
    LongestPrefix,
    Prices,
    Profile,
    Source,
    TokenBlocks,
    Units,
)
from proxy.simulator.app import create
from proxy.simulator.brains import Brain, echo
from proxy.simulator.records import Record

ANTHROPIC = {"x-api-key": "key-a", "anthropic-version": "2023-06-01"}
OPENAI = {"authorization": "Bearer key-a"}
GEMINI = {"x-goog-api-key": "key-a"}
HEADERS = {"/v1/messages": ANTHROPIC, "/v1/messages/count_tokens": ANTHROPIC}

SOURCE = (Source(fields=("cache",), source="made up for tests", date="2026-11-22", mark="MINE"),)


def profile(name: str, cache: CacheRule, provider: str = "openai", **changes: Any) -> Profile:
    plain = Profile(
        name=name,
        provider=provider,
        match=(f"{name}*",),
        prices=Prices(input=1.0, read=0.1, output=5.0),
        cache=cache,
        context_limit=200_000,
        sources=SOURCE,
    )
    return replace(plain, **changes)


PROFILES = (
    profile("claude-bound", Breakpoints(minimum=10), "anthropic", binds_reasoning="rejects", output_limit=64_000),
    profile("claude", Breakpoints(minimum=10), "anthropic", output_limit=64_000),
    profile("gpt-6.2", Breakpoints(minimum=10, automatic=True, ttl=1800, long_ttl=43_200), binds_reasoning="drops"),
    profile("gpt-5.6", Breakpoints(minimum=10, automatic=True, ttl=1800, long_ttl=43_200)),
    profile("gpt-4", LongestPrefix(step=128, minimum=1024)),
    profile("gemini-", LongestPrefix(minimum=100), "google"),
    profile("deepseek", Units(), "deepseek"),
    profile("vllm", TokenBlocks(size=16), "vllm"),
    profile("llama", LongestPrefix(holdback=1, ttl=3600), "llama.cpp"),
)


class Provider:
    """Posts to the application in this process."""

    def __init__(self, brain: Brain = echo, **options: Any) -> None:
        self.now = 0.0
        self.app = create(brain=brain, profiles=PROFILES, clock=lambda: self.now, **options)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return anyio.run(self._post, path, raw, dict(headers if headers is not None else _headers(path)))

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
            return await client.post(path, content=body, headers=headers)

    def answer(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        response = self.post(path, body, headers)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def refusal(self, path: str, body: Any, headers: Mapping[str, str] | None = None, status: int = 400) -> str:
        response = self.post(path, body, headers)
        assert response.status_code == status, response.text
        message: str = response.json()["error"]["message"]
        return message

    def cached(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, int, int]:
        """Read, written and uncached tokens of a request, from the log."""
        self.answer(path, body, headers)
        bill = self.log[-1].usage
        assert bill is not None
        return bill.input.read, bill.input.write + bill.input.write_long, bill.uncached

    @property
    def log(self) -> list[Record]:
        records: list[Record] = self.app.state.log.records
        return records


def _headers(path: str) -> Mapping[str, str]:
    return HEADERS.get(path, GEMINI if ":" in path else OPENAI)
