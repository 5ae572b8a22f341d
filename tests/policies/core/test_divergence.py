"""The explainer names the place that was changed, whatever was changed, and shows no credential."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.divergence import EXCERPT, HIDDEN, Difference, Prompt, divergence, redacted


def _tool(name: str) -> dict[str, Any]:
    properties = {"path": {"type": "string"}, "limit": {"type": "integer"}}
    return {"name": name, "description": f"Use {name} well.", "input_schema": {"properties": properties}}


def _message(number: int) -> dict[str, Any]:
    role = ("user", "assistant")[number % 2]
    blocks = [{"type": "text", "text": f"part {part} of message {number}"} for part in range(3)]
    return {"role": role, "content": blocks}


def _prompt(tools: int = 4, messages: int = 6) -> Prompt:
    return Prompt(
        model="claude-sonnet-4-5",
        tools=tuple(_tool(f"tool{number}") for number in range(tools)),
        system=({"type": "text", "text": "You are careful."}, {"type": "text", "text": "Today is 2026-11-21."}),
        parameters={"thinking": {"type": "enabled", "budget_tokens": 4096}, "tool_choice": {"type": "auto"}},
        messages=tuple(_message(number) for number in range(messages)),
    )


def test_the_same_prompt_has_no_difference() -> None:
    assert divergence(_prompt(), _prompt()) is None


def test_further_messages_are_no_difference() -> None:
    assert divergence(_prompt(messages=4), _prompt(messages=9)) is None


def test_fewer_messages_are_one() -> None:
    found = divergence(_prompt(messages=9), _prompt(messages=4))
    assert found is not None
    assert (found.segment, found.index, found.way, found.after) == ("messages", 4, "removed", "")
    assert found.before == "{role: user, content: [{type: text, text: part 0 of message…"


def test_another_model_comes_before_all_else() -> None:
    found = divergence(_prompt(), replace(_prompt(tools=1), model="claude-opus-4-8"))
    assert found == Difference("model", 0, "", "changed", "claude-sonnet-4-5", "claude-opus-4-8")


def test_a_changed_text_is_shown_from_a_little_before_the_change() -> None:
    before, after = _prompt(), _prompt()
    after = replace(after, system=(after.system[0], {"type": "text", "text": "Today is 2026-11-22."}))
    assert divergence(before, after) == Difference(
        "system", 1, "text", "changed", "Today is 2026-11-21.", "Today is 2026-11-22."
    )


def test_an_excerpt_of_a_long_text_begins_near_the_change_and_is_short() -> None:
    long = "word " * 5000
    before = Prompt(system=(f"{long}old end{long}",))
    found = divergence(before, Prompt(system=(f"{long}new end{long}",)))
    assert found is not None
    assert found.before.startswith("…") and "old end" in found.before and found.before.endswith("…")
    assert "new end" in found.after and len(found.after) <= EXCERPT + 2


def test_an_excerpt_is_one_line() -> None:
    found = divergence(Prompt(system=("one\ntwo\tthree",)), Prompt(system=("one\ntwo\tfour",)))
    assert found is not None and (found.before, found.after) == ("one two three", "one two four")


def test_a_text_that_was_cut_short_shows_nothing_where_it_ends() -> None:
    found = divergence(Prompt(system=("word " * 50 + "end",)), Prompt(system=("word " * 50,)))
    assert found is not None and found.before.endswith("end") and found.after.startswith("…word")


def test_the_first_of_several_parameters_is_named() -> None:
    before = _prompt()
    after = replace(before, parameters={"thinking": {"type": "enabled", "budget_tokens": 1}, "service_tier": "flex"})
    found = divergence(before, after)
    assert found == Difference("parameters", 0, "thinking.budget_tokens", "changed", "4096", "1")


@pytest.mark.parametrize(
    ("parameters", "field", "way", "sides"),
    [
        ({"effort": "high", "extra": [1, None]}, "extra", "inserted", ("", "[1, ]")),
        ({}, "effort", "removed", ("high", "")),
        ({"effort": True}, "effort", "changed", ("high", "True")),
    ],
)
def test_a_parameter_that_comes_or_goes_is_named(
    parameters: dict[str, Any], field: str, way: str, sides: tuple[str, str]
) -> None:
    found = divergence(Prompt(parameters={"effort": "high"}), Prompt(parameters=parameters))
    assert found is not None
    assert (found.field, found.way, (found.before, found.after)) == (field, way, sides)


def test_true_is_not_one() -> None:
    found = divergence(Prompt(parameters={"strict": True}), Prompt(parameters={"strict": 1}))
    assert found is not None and (found.before, found.after) == ("True", "1")


def test_key_order_is_no_difference() -> None:
    assert divergence(Prompt(tools=({"a": 1, "b": 2},)), Prompt(tools=({"b": 2, "a": 1},))) is None


SECRETS = (
    "sk-ant-api03-abcdefgh12345678",
    "ghp_abcdefghijklmnop1234",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123",
    "Bearer abcdefgh.12345678",
    "password=hunter2hunter2",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
    "c2VjcmV0IHZhbHVlIHdpdGggbm8gbmFtZSBhdCBhbGwsIDEyMzQ1Njc4OTA=",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_excerpt_shows_a_credential_nor_a_part_of_one(secret: str) -> None:
    found = divergence(Prompt(system=(f"key: {secret} end",)), Prompt(system=(f"key: {secret[:-2]}zz9 end",)))
    assert found is not None
    for side in (found.before, found.after):
        assert HIDDEN in side and secret[8:14] not in side


def test_ordinary_text_is_shown_as_it_is() -> None:
    text = "Read src/app/main.py, line 12: the tokens of a task-force, a sketchbook, 2026-11-22T10:00:00Z."
    assert redacted(text) == text


# One change of a prompt, and the place where the explainer must find it.
Change = Callable[[Prompt, random.Random], tuple[Prompt, str, int, str, str]]


def _put(items: tuple[Any, ...], index: int, *new: Any, drop: int = 0) -> tuple[Any, ...]:
    return (*items[:index], *new, *items[index + drop :])


def _change_text(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index, part = dice.randrange(len(prompt.messages)), dice.randrange(3)
    message: Any = prompt.messages[index]
    blocks = list(message["content"])
    blocks[part] = {**blocks[part], "text": blocks[part]["text"] + " (edited)"}
    changed = _put(prompt.messages, index, {**message, "content": blocks}, drop=1)
    return replace(prompt, messages=changed), "messages", index, f"content[{part}].text", "changed"


def _insert_message(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index = dice.randrange(len(prompt.messages))
    new = {"role": "user", "content": [{"type": "text", "text": "put in"}]}
    return replace(prompt, messages=_put(prompt.messages, index, new)), "messages", index, "", "inserted"


def _remove_message(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    # Not the last one: with another behind it, nobody can tell a removal from a change.
    index = dice.randrange(len(prompt.messages) - 1)
    return replace(prompt, messages=_put(prompt.messages, index, drop=1)), "messages", index, "", "removed"


def _remove_block(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index, part = dice.randrange(len(prompt.messages)), dice.randrange(3)
    message: Any = prompt.messages[index]
    blocks = [block for place, block in enumerate(message["content"]) if place != part]
    changed = _put(prompt.messages, index, {**message, "content": blocks}, drop=1)
    return replace(prompt, messages=changed), "messages", index, f"content[{part}]", "removed"


def _swap_tools(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index = dice.randrange(len(prompt.tools) - 1)
    tools = _put(prompt.tools, index, prompt.tools[index + 1], prompt.tools[index], drop=2)
    return replace(prompt, tools=tools), "tools", index, "", "reordered"


def _add_tool(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index = dice.randrange(len(prompt.tools) + 1)
    return replace(prompt, tools=_put(prompt.tools, index, _tool("new"))), "tools", index, "", "inserted"


def _change_tool(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    index = dice.randrange(len(prompt.tools))
    tool: Any = prompt.tools[index]
    changed = {**tool, "description": tool["description"] + " (1M context)"}
    return replace(prompt, tools=_put(prompt.tools, index, changed, drop=1)), "tools", index, "description", "changed"


def _change_parameter(prompt: Prompt, dice: random.Random) -> tuple[Prompt, str, int, str, str]:
    parameters = {**prompt.parameters, "tool_choice": {"type": dice.choice(["any", "none"])}}
    return replace(prompt, parameters=parameters), "parameters", 0, "tool_choice.type", "changed"


CHANGES: tuple[Change, ...] = (
    _change_text, _insert_message, _remove_message, _remove_block, _swap_tools, _add_tool, _change_tool,
    _change_parameter,
)  # fmt: skip


@given(st.integers(2, 9), st.integers(2, 20), st.sampled_from(CHANGES), st.integers(0, 3), st.randoms())
def test_the_place_of_a_random_change_is_named(
    tools: int, messages: int, change: Change, more: int, dice: random.Random
) -> None:
    before = _prompt(tools, messages)
    grown = _prompt(tools, messages + more)
    # The change is made in what the provider holds; what the agent adds behind it is no part of the change.
    changed, segment, index, field, way = change(before, dice)
    after = replace(changed, messages=(*changed.messages, *grown.messages[messages:]))
    found = divergence(before, after)
    assert found is not None
    assert (found.segment, found.index, found.field, found.way) == (segment, index, field, way)


def test_what_is_nested_too_deep_is_not_followed() -> None:
    def nested(end: object) -> object:
        for _ in range(600):
            end = [end]
        return end

    assert divergence(Prompt(messages=(nested(1),)), Prompt(messages=(nested(2),))) is None
