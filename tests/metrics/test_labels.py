"""Labels are bounded, whatever arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.labels import AGENTS, CLOSED, MAX_TRAFFIC, ROOM, Known, Traffic, Vocabulary


@pytest.mark.parametrize("label", sorted(CLOSED))
def test_a_closed_label_takes_its_list_and_nothing_else(label: str) -> None:
    vocabulary = Vocabulary(Known())
    for value in CLOSED[label]:
        assert vocabulary.value(label, value) == value
    assert vocabulary.value(label, "surprise") == "other"
    assert vocabulary.value(label, "") == "none"
    assert vocabulary.expected(label) == CLOSED[label]


def test_beyond_two_hundred_models_only_known_ones_have_a_name() -> None:
    vocabulary = Vocabulary(Known(models=("claude-sonnet-4-5",)))
    for n in range(200):
        assert vocabulary.value("model", f"local-{n}") == f"local-{n}"
    assert vocabulary.value("model", "local-200") == "other"
    assert vocabulary.value("model", "local-7") == "local-7"
    assert vocabulary.value("model", "claude-sonnet-4-5") == "claude-sonnet-4-5"


def test_an_agent_is_listed_or_configured_or_other() -> None:
    vocabulary = Vocabulary(Known(agents=("nightly-bot",)))
    assert [vocabulary.value("agent", name) for name in AGENTS] == list(AGENTS)
    assert vocabulary.value("agent", "nightly-bot") == "nightly-bot"
    assert vocabulary.value("agent", "nightly-bots") == "other"


@pytest.mark.parametrize(
    "value",
    [
        "sk-short",
        "sk-ant-api03-AbCdEf",
        "claude-Zm9vYmFyYmF6cXV4Zm9vYmFy",
        "550e8400e29b41d4a716446655440000",
        "x" * 101,
        "two words",
        "new\nline",
        "../../etc/passwd",
        'quote"',
        "\ud800",
        "é",
    ],
)
def test_what_looks_like_a_key_or_not_like_a_name_is_other(value: str) -> None:
    for label in ("model", "reason", "rule", "policy", "upstream"):
        assert Vocabulary(Known()).value(label, value) == "other"


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5-20250929",
        "us.anthropic.claude-opus-4-8-v1:0",
        "Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4",
        "ft:gpt-4o-mini-2024-07-18:org:name:9abcXYZ1",
        "gemini-3.1-pro-preview-customtools",
        "accounts/fireworks/models/deepseek-v4",
    ],
)
def test_names_of_real_models_are_kept(name: str) -> None:
    assert Vocabulary(Known()).value("model", name) == name


def test_a_known_name_is_kept_whatever_its_shape() -> None:
    assert Vocabulary(Known(models=("my model",))).value("model", "my model") == "my model"


def test_combinations_of_traffic_are_bounded_and_those_that_were_met_stay() -> None:
    vocabulary = Vocabulary(Known())
    first = Traffic("anthropic", "anthropic_messages", "model-0", "codex", "policy-0")
    assert vocabulary.traffic(first) == first
    seen = {
        vocabulary.traffic(
            Traffic("anthropic", "anthropic_messages", f"model-{n % 199}", "codex", f"policy-{n // 199}")
        )
        for n in range(199 * 10)
    }
    assert len(seen) == MAX_TRAFFIC + 1
    assert Traffic("anthropic", "anthropic_messages", "other", "other", "other") in seen
    assert vocabulary.traffic(first) == first


def test_empty_labels_are_none() -> None:
    assert Vocabulary(Known()).traffic(Traffic(agent="")) == Traffic("none", "none", "none", "none", "none")


@given(st.lists(st.tuples(st.sampled_from(sorted(ROOM)), st.text(max_size=12)), max_size=60))
def test_no_input_makes_more_values_than_there_is_room_for(values: list[tuple[str, str]]) -> None:
    vocabulary = Vocabulary(Known())
    taken: dict[str, set[str]] = {label: set() for label in ROOM}
    for label, value in values:
        taken[label].add(vocabulary.value(label, value))
    for label, names in taken.items():
        assert len(names - {"other", "none", *AGENTS}) <= ROOM[label]


def test_known_reasons_are_expected() -> None:
    assert Vocabulary(Known(reasons=("pays", "cold"))).expected("reason") == ("cold", "pays")
