"""Every model that ships with the proxy can be simulated, and its own rule decides what a repeat reads."""

from typing import Any

import pytest

from policies.core.profile import Breakpoints, Profile
from proxy.profiles import load_profiles
from proxy.simulator.app import create
from tests.proxy.simulator.provider import Provider

SHIPPED = load_profiles()
WORDS = "w" * 4 * 6_000


def request_for(profile: Profile) -> tuple[str, dict[str, Any]]:
    model = profile.match[0].replace("*", "")
    if profile.provider == "google":
        path = f"/v1beta/models/{model}:generateContent"
        return path, {"contents": [{"role": "user", "parts": [{"text": WORDS}]}]}
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": WORDS}]}
    if profile.provider == "anthropic":
        return "/v1/messages", {**body, "max_tokens": 5, "cache_control": {"type": "ephemeral"}}
    return "/v1/chat/completions", body


@pytest.mark.parametrize("profile", SHIPPED, ids=[profile.name for profile in SHIPPED])
def test_a_shipped_model_reads_what_it_has_cached(profile: Profile) -> None:
    provider = Provider()
    provider.app = create(profiles=SHIPPED, clock=lambda: provider.now)
    path, body = request_for(profile)
    first, second = provider.cached(path, body), provider.cached(path, body)
    assert first[0] == 0
    assert first[1] == (6_000 if isinstance(profile.cache, Breakpoints) else 0)
    assert second[0] >= 4_096
    assert sum(second) == 6_000
