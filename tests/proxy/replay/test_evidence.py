"""What the agent used next, and what of it was still there."""

import json
from typing import Any

import pytest

from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.replay.evidence import NEWEST, Evidence, Score, values
from proxy.replay.prompts import Reader, Sent

from .sessions import count

HEAD = '{"system":"the rules are in docs/rules_of_house.md"}'


def reader() -> Reader:
    return Reader(OPENAI_CHAT, "/v1/chat/completions", count)


def said(message: dict[str, Any]) -> tuple[str, ...]:
    return values([OPENAI_CHAT.message(json.dumps(message).encode(), count)], OPENAI_CHAT)


def calling(**arguments: Any) -> dict[str, Any]:
    function = {"name": "tool", "arguments": json.dumps(arguments)}
    return {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"path": "src/app.py"}, {"src/app.py"}),
        ({"command": "cat src/app.py | grep find_me"}, {"src/app.py", "find_me"}),
        ({"deep": [{"id": "res_4711"}]}, {"res_4711"}),
        ({"code": "HATHAT"}, {"HATHAT"}),
        ({"text": 'say "hello there" twice'}, {"hello there"}),
        ({"text": "getUserName plain words config.yaml"}, {"getUserName", "config.yaml"}),
        ({"text": "a short bit", "number": 123456, "none": None}, set()),
        ({}, set()),
    ],
)
def test_paths_identifiers_and_quoted_strings_are_values(arguments: dict[str, Any], expected: set[str]) -> None:
    assert set(said(calling(**arguments))) == expected


def test_arguments_that_are_no_json_are_read_as_text() -> None:
    message = calling()
    message["tool_calls"][0]["function"]["arguments"] = "{broken src/app.py"
    assert said(message) == ("src/app.py",)


def test_without_native_calls_the_code_block_is_read_and_nothing_else() -> None:
    text = "I will not open other/file.py but\n```bash\ncat src/app.py\n```"
    assert said({"role": "assistant", "content": text}) == ("src/app.py",)
    assert "other/file.py" not in said({**calling(path="a/b.py"), "content": text})


def test_anthropic_calls_are_read_the_same() -> None:
    block = {"type": "tool_use", "id": "1", "name": "tool", "input": {"path": "src/app.py"}}
    raw = json.dumps({"role": "assistant", "content": [block]}).encode()
    assert values([ANTHROPIC_MESSAGES.message(raw, count)], ANTHROPIC_MESSAGES) == ("src/app.py",)


def request(*contents: str) -> Sent:
    """A user's message, then one observation for each further content."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": contents[0]}]
    for number, content in enumerate(contents[1:]):
        messages.append({"role": "assistant", "tool_calls": [{"id": str(number), "function": {"name": "t"}}]})
        messages.append({"role": "tool", "tool_call_id": str(number), "content": content})
    return reader().read(json.dumps({"model": "m", "messages": messages}).encode())


def scored(received: Sent, sent: Sent, *wanted: str) -> Score:
    evidence = Evidence(OPENAI_CHAT, count)
    answer = [OPENAI_CHAT.message(json.dumps(calling(paths=list(wanted))).encode(), count)]
    (found,) = evidence.learn([answer])
    assert set(found) == set(wanted)
    return evidence.score(evidence.asked(found, received, HEAD), sent)


OLD = ("go", "it is in src/app.py", *(f"nothing {n}" for n in range(NEWEST)))
PATH, TOKENS = "src/app.py", count("src/app.py")


def test_a_value_that_was_never_seen_is_not_asked_for() -> None:
    assert scored(request("go"), request("go"), "src/app.py") == Score()


def test_a_value_that_stood_only_in_an_old_observation_is_at_risk() -> None:
    assert scored(request(*OLD), request(*OLD), PATH) == Score(TOKENS, TOKENS, TOKENS, TOKENS)
    masked = request("go", "[gone]", *OLD[2:])
    assert scored(request(*OLD), masked, PATH) == Score(TOKENS, 0, TOKENS, 0)


def test_a_placeholder_that_names_the_value_keeps_it() -> None:
    named = request("go", "[gone: src/app.py]", *OLD[2:])
    assert scored(request(*OLD), named, PATH) == Score(TOKENS, TOKENS, TOKENS, TOKENS)


@pytest.mark.parametrize("contents", [OLD[:-1], ("see src/app.py", *OLD[1:]), (*OLD, "again src/app.py")])
def test_a_value_that_also_stands_elsewhere_is_not_at_risk(contents: tuple[str, ...]) -> None:
    assert scored(request(*contents), request(*contents), PATH) == Score(TOKENS, TOKENS, 0, 0)


def test_what_stands_in_tools_or_system_is_always_there() -> None:
    size = count("docs/rules_of_house.md")
    assert scored(request("go"), request("go"), "docs/rules_of_house.md") == Score(size, size, 0, 0)


def test_values_weigh_as_many_tokens_as_they_have() -> None:
    long = "src/a/very/long/path/indeed.py"
    received = request("go", f"{PATH} {long}", *OLD[2:])
    sent = request("go", PATH, *OLD[2:])
    both = TOKENS + count(long)
    assert scored(received, sent, PATH, long) == Score(both, TOKENS, both, TOKENS)
