"""OpenAI's prompt caches: by breakpoint from GPT-5.6, by longest prefix before it."""

from typing import Any

import pytest

from tests.proxy.simulator.provider import Provider

PATH = "/v1/chat/completions"
POINT = {"mode": "explicit"}


def part(words: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"prompt_cache_breakpoint": mark} if mark else {})}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def words(place: int, tokens: int = 20) -> str:
    return f"{place:0{tokens * 4}}"


SYSTEM = {"role": "developer", "content": words(0)}
SAID = {"role": "assistant", "content": words(99)}


def body(*messages: Any, model: str = "gpt-5.6", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": list(messages), **fields}


def test_the_latest_eligible_message_is_written_and_read_by_an_extension() -> None:
    provider = Provider()
    assert provider.cached(PATH, body(SYSTEM, user(part(words(1))))) == (0, 40, 0)
    extended = body(SYSTEM, user(part(words(1))), SAID, user(part(words(2))))
    assert provider.cached(PATH, extended) == (40, 40, 0)


def test_a_shared_prefix_with_another_last_message_reads_nothing() -> None:
    provider = Provider()
    provider.answer(PATH, body(SYSTEM, user(part(words(1)))))
    assert provider.cached(PATH, body(SYSTEM, user(part(words(2))))) == (0, 40, 0)


def test_an_explicit_breakpoint_ends_the_stable_part() -> None:
    provider = Provider()
    stable = {"role": "developer", "content": [part(words(0), POINT)]}
    provider.answer(PATH, body(stable, user(part(words(1)))))
    assert provider.cached(PATH, body(stable, user(part(words(2))))) == (20, 20, 0)


def test_a_message_extended_in_place_has_lost_its_entry() -> None:
    provider = Provider()
    provider.answer(PATH, body(SYSTEM, user(part(words(1)))))
    assert provider.cached(PATH, body(SYSTEM, user(part(words(1)), part(words(2)))))[0] == 0


def test_explicit_mode_without_breakpoints_caches_nothing() -> None:
    provider = Provider()
    request = body(SYSTEM, user(part(words(1))), prompt_cache_options={"mode": "explicit"})
    assert [provider.cached(PATH, request) for _ in range(2)] == [(0, 0, 40)] * 2


def test_a_switch_to_explicit_mode_misses_what_implicit_mode_wrote() -> None:
    provider = Provider()
    provider.answer(PATH, body(SYSTEM, user(part(words(1)))))
    request = body(SYSTEM, user(part(words(1), POINT)), prompt_cache_options={"mode": "explicit"})
    assert provider.cached(PATH, request) == (0, 40, 0)
    assert provider.cached(PATH, request) == (40, 0, 0)


def test_implicit_mode_writes_the_latest_three_explicit_breakpoints() -> None:
    provider = Provider()
    parts = [part(words(place), POINT) for place in range(1, 6)]
    provider.answer(PATH, body(user(*parts), user(part(words(9)))))
    read = [provider.cached(PATH, body(user(*parts[:count]), user(part(words(8)))))[0] for count in (2, 3)]
    assert read == [0, 60]


def test_a_run_of_tool_messages_ends_in_one_boundary() -> None:
    provider = Provider()
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "ls", "arguments": "{}"}} for n in range(2)]
    loop = [
        user(part(words(1))), {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c0", "content": words(2)},
        {"role": "tool", "tool_call_id": "c1", "content": words(3)},
    ]  # fmt: skip
    provider.answer(PATH, body(*loop))
    changed = [*loop[:3], {**loop[3], "content": words(4)}]
    assert provider.cached(PATH, body(*changed))[0] == 0
    total = provider.log[-1].usage
    assert total
    assert provider.cached(PATH, body(*loop, SAID, user(part(words(5)))))[0] == total.input.total


def test_twenty_earlier_message_ends_are_looked_up() -> None:
    provider = Provider()
    provider.answer(PATH, body(user(part(words(0)))))
    rows = [user(part(words(place))) for place in range(1, 22)]
    assert provider.cached(PATH, body(user(part(words(0))), *rows[:20]))[0] == 20
    other = Provider()
    other.answer(PATH, body(user(part(words(0)))))
    assert other.cached(PATH, body(user(part(words(0))), *rows))[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"prompt_cache_key": "b"},
        {"service_tier": "flex"},
        {"reasoning_effort": "low"},
        {"verbosity": "low"},
        {"parallel_tool_calls": False},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_settings_that_split_the_cache(change: dict[str, Any]) -> None:
    provider = Provider()
    request = body(SYSTEM, user(part(words(1))))
    provider.answer(PATH, request)
    assert provider.cached(PATH, {**request, **change})[0] == 0
    assert provider.cached(PATH, {**request, "temperature": 0.5})[0] == 40


def test_an_entry_lives_thirty_minutes_after_its_last_use() -> None:
    provider = Provider()
    request = body(SYSTEM, user(part(words(1))))
    provider.answer(PATH, request)
    for _ in range(2):
        provider.now += 1799
        assert provider.cached(PATH, request)[0] == 40
    provider.now += 1800
    assert provider.cached(PATH, request)[0] == 0


def test_writes_are_reported_by_life() -> None:
    provider = Provider()
    point = {"type": "input_text", "text": words(0), "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    items = [{"role": "developer", "content": [point]}, {"role": "user", "content": words(1)}]
    usage = provider.answer("/v1/responses", {"model": "gpt-5.6", "input": items})["usage"]
    assert usage["input_tokens"] == 40
    assert usage["input_tokens_details"] == {
        "cached_tokens": 0,
        "cache_write_tokens": 40,
        "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 20},
    }


def test_older_models_read_the_longest_prefix_in_steps_of_128() -> None:
    provider = Provider()
    system = {"role": "system", "content": words(0, 1100)}
    provider.answer(PATH, body(system, user(part(words(1))), model="gpt-4"))
    assert provider.cached(PATH, body(system, user(part(words(2))), model="gpt-4")) == (1024, 0, 96)


def test_older_models_read_nothing_below_1024() -> None:
    provider = Provider()
    request = body({"role": "system", "content": words(0, 1020)}, model="gpt-4")
    assert [provider.cached(PATH, request)[0] for _ in range(2)] == [0, 0]


def test_older_models_are_not_split_by_a_cache_key() -> None:
    provider = Provider()
    request = body({"role": "system", "content": words(0, 1100)}, model="gpt-4")
    provider.answer(PATH, request)
    assert provider.cached(PATH, {**request, "prompt_cache_key": "b"})[0] == 1024
