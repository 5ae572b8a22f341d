"""Longest prefix, whole units and token blocks: Gemini, llama.cpp, DeepSeek, vLLM."""

from typing import Any

import pytest

from proxy.simulator.brains import Answer, script
from proxy.simulator.caches.tree import shared_tokens
from proxy.simulator.prompt import four_bytes_a_token
from tests.proxy.simulator.provider import Provider

PATH = "/v1/chat/completions"


def body(model: str, *texts: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text} for text in texts]}


def words(place: int, tokens: int) -> str:
    return f"{place:0{tokens * 4}}"


def test_llama_reads_to_the_token_and_always_computes_one() -> None:
    provider = Provider()
    assert provider.cached(PATH, body("llama", words(1, 500)))[0] == 0
    assert provider.cached(PATH, body("llama", words(1, 500)))[0] == 499
    assert provider.cached(PATH, body("llama", words(1, 500), words(2, 7)))[0] == 500
    assert provider.cached(PATH, body("llama", words(1, 500) + "!"))[0] == 500


def test_llama_stops_at_the_first_changed_token_of_a_message() -> None:
    provider = Provider()
    provider.answer(PATH, body("llama", "aaaabbbbcccc", "tail"))
    assert provider.cached(PATH, body("llama", "aaaabbbbXccc", "tail"))[0] == 2


def test_vllm_reads_full_blocks_and_never_the_last_token() -> None:
    provider = Provider()
    provider.answer(PATH, body("vllm", words(1, 64)))
    assert provider.cached(PATH, body("vllm", words(1, 64)))[0] == 48
    assert provider.cached(PATH, body("vllm", words(1, 64), words(2, 3)))[0] == 64
    assert provider.cached(PATH, body("vllm", words(1, 63) + "!!!!"))[0] == 48


def test_vllm_separates_by_salt() -> None:
    provider = Provider()
    provider.answer(PATH, body("vllm", words(1, 64)))
    assert provider.cached(PATH, {**body("vllm", words(1, 64)), "cache_salt": "t"})[0] == 0


def test_deepseek_reads_whole_units_only_and_learns_a_common_prefix() -> None:
    provider = Provider()
    a, b, c, d = (words(place, 10) for place in range(4))
    assert provider.cached(PATH, body("deepseek", a, b))[0] == 0
    assert provider.cached(PATH, body("deepseek", a, c))[0] == 0
    assert provider.cached(PATH, body("deepseek", a, d))[0] == 10
    assert provider.cached(PATH, body("deepseek", a, b, c))[0] == 20


def test_deepseek_ends_a_unit_at_its_answer() -> None:
    provider = Provider(script((Answer(text=words(5, 10)),)))
    request = body("deepseek", words(1, 10))
    provider.answer(PATH, request)
    request["messages"] += [{"role": "assistant", "content": words(5, 10)}, {"role": "user", "content": "go"}]
    usage = provider.answer(PATH, request)["usage"]
    assert (usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"]) == (20, 1)


def gemini(*texts: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]} for text in texts]}


def test_gemini_reads_the_longest_prefix_above_its_minimum() -> None:
    provider, path = Provider(), "/v1beta/models/gemini-2.5-pro:generateContent"
    first = provider.answer(path, gemini(words(1, 120)))["usageMetadata"]
    assert "cachedContentTokenCount" not in first
    second = provider.answer(path, gemini(words(1, 120), "tail"))["usageMetadata"]
    assert (second["promptTokenCount"], second["cachedContentTokenCount"]) == (121, 120)
    provider.answer(path, gemini(words(1, 90)))
    assert provider.cached(path, gemini(words(1, 90)))[0] == 0


def test_a_prefix_not_used_for_its_life_is_forgotten() -> None:
    provider = Provider()
    provider.answer(PATH, body("llama", words(1, 50)))
    provider.now = 3599
    assert provider.cached(PATH, body("llama", words(1, 50)))[0] == 49
    provider.now += 3600
    assert provider.cached(PATH, body("llama", words(1, 50)))[0] == 0


@pytest.mark.parametrize(
    "one, other, shared",
    [("", "abc", 0), ("abcd", "abcdefgh", 1), ("abcde", "abcdX", 1), ("abc", "abc", 1), ("abXd", "abcd", 0)],
)
def test_a_token_that_the_next_character_changes_is_not_shared(one: str, other: str, shared: int) -> None:
    assert shared_tokens(one, other, four_bytes_a_token) == shared
