"""Made-up sessions and models, small enough to see through."""

from collections.abc import Sequence
from typing import Any

from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, Prices, Profile
from policies.mask import Mask
from policies.policy import Policy
from proxy.replay.trace import Trace

Object = dict[str, Any]


def count(text: str) -> int:
    """Four characters a token: no vocabulary is needed to check a rule."""
    return -(-len(text) // 4)


def profile(
    cache: CacheRule | None = None, *, provider: str = "openai", write: float | None = None, **fields: Any
) -> Profile:
    rule = LongestPrefix(ttl=300.0) if cache is None else cache
    prices = Prices(input=1.0, read=0.1, output=4.0, write=write)
    known = {"prices": prices, "context_limit": 1_000_000, **fields}
    return Profile("made-up", provider, ("made-up",), cache=rule, sources=(), **known)


def marked_profile(**fields: Any) -> Profile:
    """A model that matches at markers only, from 20 tokens on."""
    return profile(Breakpoints(minimum=20, ttl=300.0), provider="anthropic", write=1.25, **fields)


def policy(keep_newest: int = 1, **fields: Any) -> Policy:
    return Policy(name="masking", mask=Mask(keep_newest=keep_newest, min_tokens=61, **fields))


def observed(number: int, tokens: int) -> str:
    """Tool output of a given size that no other step has."""
    return "\n".join(f"line {number}-{line} of it" for line in range(max(1, tokens // 4)))


def trace(sizes: Sequence[int], *, id: str = "made-up-1", tools: list[Object] | None = None) -> Trace:
    """An agent that reads one file after another. `sizes`: tokens of what it reads; there is one call more."""
    messages: list[Object] = [
        {"role": "system", "content": "You are a careful agent. " * 20},
        {"role": "user", "content": "Tidy up `src/first_module.py`, please."},
    ]
    for number, tokens in enumerate(sizes):
        messages.append(call(number, f"src/module_{number}.py"))
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": observed(number, tokens)})
    messages.append({"role": "assistant", "content": "That was all."})
    return Trace(id, messages, "made-up", tools=tools)


def call(number: int, path: str) -> Object:
    function = {"name": "read_file", "arguments": f'{{"path": "{path}"}}'}
    return {
        "role": "assistant",
        "content": f"Let me look at file {number}.",
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
    }


def untyped(sizes: Sequence[int]) -> Trace:
    """An agent without native calls: it writes code blocks, and reads user messages of no known shape."""
    messages: list[Object] = [{"role": "user", "content": "Tidy up."}]
    for number, tokens in enumerate(sizes):
        code = f"Look:\n```bash\ncat src/module_{number}.py\n```"
        messages.append({"role": "assistant", "content": code, "reasoning_content": "secret thoughts"})
        messages.append({"role": "user", "content": observed(number, tokens), "kind": "observation", "is_demo": True})
    messages.append({"role": "assistant", "content": "Done."})
    return Trace("made-up-2", messages, "made-up")
