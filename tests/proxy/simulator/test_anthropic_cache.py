"""Anthropic's prompt cache: written at markers, found by looking back, gone after its life."""

from typing import Any

import pytest

from tests.proxy.simulator.provider import ANTHROPIC, Provider

PATH = "/v1/messages"
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TEN = "x" * 40


def block(words: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"cache_control": mark} if mark else {})}


def body(*blocks: Any, **fields: Any) -> dict[str, Any]:
    return {
        "model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": list(blocks)}], **fields,
    }  # fmt: skip


def filled(count: int, mark: Any = None) -> list[dict[str, Any]]:
    """So many blocks of ten tokens, all different, the last one marked."""
    rows = [block(f"{place:040}") for place in range(count)]
    return [*rows[:-1], {**rows[-1], **({"cache_control": mark} if mark else {})}]


def test_nothing_is_cached_without_a_marker() -> None:
    provider = Provider()
    assert [provider.cached(PATH, body(*filled(5))) for _ in range(2)] == [(0, 0, 50)] * 2


def test_a_marker_writes_and_the_same_prefix_is_read() -> None:
    provider = Provider()
    assert provider.cached(PATH, body(*filled(5, MARK), block(TEN))) == (0, 50, 10)
    assert provider.cached(PATH, body(*filled(5, MARK), block("other" * 8))) == (50, 0, 10)


def test_usage_excludes_what_was_cached_and_splits_the_writes_by_life() -> None:
    request = body(*filled(5, MARK), block("tail"), system=[block(TEN, HOUR)])
    usage = Provider().answer(PATH, request)["usage"]
    assert usage["input_tokens"] == 1
    assert usage["cache_creation_input_tokens"] == 60
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 10}
    assert usage["cache_read_input_tokens"] == 0


def test_an_appended_block_finds_the_entry_of_the_marker_that_moved_on() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK)))
    assert provider.cached(PATH, body(*filled(8, MARK))) == (50, 30, 0)


@pytest.mark.parametrize("grown, read", [(19, 50), (20, 0)])
def test_a_marker_sees_twenty_positions_itself_the_first(grown: int, read: int) -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK)))
    assert provider.cached(PATH, body(*filled(5 + grown, MARK)))[0] == read


def test_a_second_marker_within_reach_saves_the_entry() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK)))
    rows = filled(40, MARK)
    rows[15]["cache_control"] = MARK
    assert provider.cached(PATH, body(*rows)) == (50, 350, 0)


def test_a_run_of_calls_is_one_position_and_so_is_a_run_of_results() -> None:
    provider = Provider()
    ask = {"role": "user", "content": filled(5, MARK)}
    calls = [{"type": "tool_use", "id": f"t{place}", "name": "ls", "input": {}} for place in range(30)]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"} for call in calls]
    results[-1]["cache_control"] = MARK
    provider.answer(PATH, body(*filled(5, MARK)))
    messages = [ask, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    assert provider.cached(PATH, {**body(), "messages": messages})[0] == 50


def test_a_prefix_below_the_minimum_is_not_written() -> None:
    provider = Provider()
    assert provider.cached(PATH, body(block("x" * 36, MARK))) == (0, 0, 9)


@pytest.mark.parametrize("mark, life", [(MARK, 300), (HOUR, 3600)])
def test_an_entry_lives_from_the_start_of_the_request(mark: Any, life: float) -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, mark)))
    provider.now = life - 1
    assert provider.cached(PATH, body(*filled(5, mark)))[0] == 50
    provider.now += life - 1
    assert provider.cached(PATH, body(*filled(5, mark)))[0] == 50, "a read refreshes it"
    provider.now += life
    assert provider.cached(PATH, body(*filled(5, mark)))[0] == 0


def test_a_read_does_not_turn_five_minutes_into_an_hour() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK)))
    assert provider.cached(PATH, body(*filled(5, HOUR))) == (50, 0, 0)
    provider.now = 301
    assert provider.cached(PATH, body(*filled(5, HOUR))) == (0, 50, 0)


def test_the_automatic_marker_stands_on_the_last_block() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5), cache_control=MARK))
    assert provider.cached(PATH, body(*filled(7), cache_control=MARK)) == (50, 20, 0)


def test_a_string_is_the_same_as_one_text_block() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK), system=TEN))
    assert provider.cached(PATH, body(*filled(5, MARK), system=[block(TEN)]))[0] == 60


def test_markers_are_no_content() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK), system=[block(TEN, MARK)]))
    assert provider.cached(PATH, body(*filled(5, MARK), system=TEN))[0] == 60


TOOL = {"name": "ls", "description": "d" * 40, "input_schema": {"type": "object"}}
THINK = {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize(
    "change, kept",
    [
        ({"tool_choice": {"type": "any"}}, "system"),
        ({"thinking": {"type": "adaptive"}}, "system"),
        ({"output_config": {"effort": "low"}}, "system"),
        ({"speed": "fast"}, "tools"),
        ({"tools": [{**TOOL, "name": "cat"}]}, ""),
        ({"model": "claude-2"}, ""),
        ({"temperature": 0.5, "metadata": {"user_id": "u"}}, "all"),
    ],
)
def test_a_parameter_loses_what_the_table_of_the_docs_says(change: dict[str, Any], kept: str) -> None:
    provider = Provider()
    request = body(*filled(3, MARK), system=[block(TEN, MARK)], tools=[{**TOOL, "cache_control": MARK}])
    tools = provider.cached(PATH, request)[1] - 40
    read = {"": 0, "tools": tools, "system": tools + 10, "all": tools + 40}
    assert provider.cached(PATH, {**request, **change})[0] == read[kept]


def test_the_first_image_loses_the_messages() -> None:
    provider = Provider()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    request = body(*filled(3, MARK), system=[block(TEN, MARK)])
    provider.answer(PATH, request)
    assert provider.cached(PATH, body(*filled(3, MARK), image, system=[block(TEN, MARK)]))[0] == 10


def test_key_order_in_a_tool_counts_and_spacing_does_not() -> None:
    provider = Provider()
    request = body(*filled(3, MARK), tools=[TOOL])
    provider.answer(PATH, request)
    assert provider.cached(PATH, body(*filled(3, MARK), tools=[dict(reversed(TOOL.items()))]))[0] == 0
    assert provider.cached(PATH, body(*filled(3, MARK), tools=[TOOL]))[0] > 0


def test_a_deferred_tool_is_not_in_the_prompt() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(3, MARK)))
    assert provider.cached(PATH, body(*filled(3, MARK), tools=[{**TOOL, "defer_loading": True}]))[0] == 30


def test_credentials_share_nothing() -> None:
    provider = Provider()
    provider.answer(PATH, body(*filled(5, MARK)))
    assert provider.cached(PATH, body(*filled(5, MARK)), {**ANTHROPIC, "x-api-key": "key-b"})[0] == 0


def test_counting_neither_reads_nor_writes() -> None:
    provider = Provider()
    request = {key: value for key, value in body(*filled(5, MARK)).items() if key != "max_tokens"}
    assert provider.answer("/v1/messages/count_tokens", request) == {"input_tokens": 50}
    assert provider.cached(PATH, body(*filled(5, MARK)))[0] == 0
