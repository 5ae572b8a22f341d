"""Two heads compared: texts that read otherwise are found, and anything else is no matter of texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.heads import COMPARED, Rewording, Span, reworded_system, reworded_tools, spans


def _tool(name: str = "bash", description: str = "Runs a command.", **schema: Any) -> tuple[str, Any]:
    return name, [{}, {"name": name, "description": description, "parameters": schema}]


def _one(before: str, after: str) -> Span:
    (span,) = spans(Rewording("the system prompt", before, after))
    return span


def test_descriptions_that_differ_are_found_under_their_tools_names_in_any_order() -> None:
    before = [_tool(), _tool("read", "Reads.", path={"description": "A path."})]
    after = [_tool("read", "Reads.", path={"description": "One path."}), _tool(description="Runs one.")]
    assert reworded_tools(before, after) == (
        Rewording('the description of tool "bash"', "Runs a command.", "Runs one."),
        Rewording('the description of `parameters.path` in tool "read"', "A path.", "One path."),
    )


@pytest.mark.parametrize(
    "after",
    [
        [],
        [_tool("other")],
        [_tool(), _tool()],
        [_tool(), _tool("more")],
        [_tool(path={"type": "string"})],
        [_tool(flag=1)],
        [_tool(flag=True, examples=[{"description": "b"}])],
        [_tool(flag=True, examples=[])],
    ],
)
def test_another_tool_or_another_schema_is_no_rewording(after: list[tuple[str, Any]]) -> None:
    assert reworded_tools([_tool(flag=True, examples=[{"description": "a"}])], after) is None


def test_system_prompts_of_the_same_blocks_differ_in_their_texts() -> None:
    before = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    after = [{"type": "text", "text": "a"}, {"type": "text", "text": "c"}]
    assert reworded_system(before, after) == (Rewording("the system prompt", "b", "c"),)
    assert reworded_system(before, before) == ()
    assert reworded_system(before, before[:1]) is None
    assert reworded_system(before, [before[0], {"type": "text", "text": None}]) is None
    assert reworded_system(["a"], ["b"]) is None


@pytest.mark.parametrize(
    ("before", "after", "volatile"),
    [
        ("Today is 2026-11-21.", "Today is 2026-11-22.", True),
        ("It is Saturday, November 21, 2026.", "It is Sunday, November 22, 2026.", True),
        ("Date: 21 Nov 2026", "Date: 22 Nov 2026", True),
        ("Date: 11/21/2026", "Date: 11/22/2026", True),
        ("Started 2026-11-21T10:00:00Z here", "Started 2026-11-22T11:30:59Z here", True),
        ("It is 9:15 am", "It is 12:40 pm", True),
        ("Session 123e4567-e89b-12d3-a456-426614174000", "Session 123e4567-e89b-12d3-a456-426614174999", True),
        ("Run 0a1b2c3d4e5f6a7b8c9d", "Run ffeeddccbbaa99887766", True),
        ("Agent v2.1.197", "Agent v2.1.198-beta", True),
        ("You are Opus 4.8 (1M context).", "You are Opus 4.8.", True),
        ("The model is claude-opus-4-8[1m].", "The model is claude-opus-4-8.", True),
        ("Working directory: /a", "Working directory: /b", False),
        ("On 2026-11-21 delete nothing", "On 2026-11-22 delete everything", False),
    ],
)
def test_what_changes_by_itself_is_recognised_by_its_form(before: str, after: str, volatile: bool) -> None:
    found = spans(Rewording("", f"Rules.\n{before}\nEnd.", f"Rules.\n{after}\nEnd."))
    assert {span.volatile for span in found} == {volatile}


def test_only_the_words_that_differ_are_taken_and_near_ones_together() -> None:
    rules = "\n".join(f"Rule {n} says to be careful." for n in range(50))
    first = f"Git status: clean on main\n{rules}\nUse tool a in the morning."
    found = spans(Rewording("", first, first.replace("clean", "3 files changed").replace("tool a", "tool b")))
    assert [(span.before, span.after) for span in found] == [("clean", "3 files changed"), ("a", "b")]
    assert found[0].size == len("3 files changed")
    assert _one("a b c d", "a B c D").before == "b c d"


def test_a_span_is_quoted_with_the_words_around_it_in_one_line() -> None:
    text = "You are careful.\nThe working directory is /home/one now.\nNever delete anything."
    quotes = _one(text, text.replace("/home/one", "/home/two")).quotes
    assert quotes[0] == "…working directory is /home/one now. Never delete…"
    assert _one("", "new").quotes == ("", "new")


def test_parts_too_long_to_be_compared_are_taken_whole() -> None:
    before = "start " + " ".join(f"a{n}" for n in range(COMPARED + 1)) + " end"
    span = _one(before, "start b end")
    assert span.after == "b" and span.before.startswith("a0 ") and span.before.endswith(f"a{COMPARED}")


def test_the_billing_line_is_harmless_and_nothing_else_is() -> None:
    line = "x-anthropic-billing-header: cc_version=2.1.197.{}; cc_entrypoint=cli;"
    assert _one(line.format("197"), line.format("f9d")).harmless
    assert not _one("cc_version=1;", "cc_version=2;").harmless


WORDS = st.lists(st.sampled_from(["a", "b", "c\n", "2026-11-22", "  "]), max_size=12).map(" ".join)


@given(WORDS, WORDS)
def test_a_text_with_its_spans_put_in_place_is_the_other_text(before: str, after: str) -> None:
    at, found = 0, spans(Rewording("", before, after))
    for span in found:
        if span.before:
            assert (at := before.find(span.before, at)) >= 0
    assert bool(found) == (before != after)
