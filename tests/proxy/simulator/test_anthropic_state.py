"""What Anthropic does on its own side: it clears old results and thinking, and holds threads."""

from typing import Any

import anthropic
import pytest

from proxy.simulator.app import create
from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import ANTHROPIC, PROFILES, Provider
from tests.proxy.simulator.test_anthropic_rules import PATH, TOOL, body, looped, user

BETA = {**ANTHROPIC, "anthropic-beta": "context-management-2025-06-27"}
MARK = {"type": "ephemeral"}
CLEAR = "clear_tool_uses_20250919"


def managed(uses: int, **edit: Any) -> tuple[Provider, dict[str, Any]]:
    """A run of so many tool uses, each result 25 tokens long."""
    provider = Provider()
    request = body({"role": "user", "content": "go"}, tools=[TOOL])
    for place in range(uses):
        call = {"type": "tool_use", "id": f"t{place}", "name": "ls", "input": {"path": "x" * 40}}
        result = {"type": "tool_result", "tool_use_id": f"t{place}", "content": f"{place:0100}"}
        request["messages"] += [{"role": "assistant", "content": [call]}, user(result)]
    if edit:
        request["context_management"] = {"edits": [{"type": CLEAR, **edit}]}
    return provider, request


def uses(value: int) -> dict[str, Any]:
    return {"type": "tool_uses", "value": value}


def applied(provider: Provider, request: dict[str, Any]) -> Any:
    return provider.answer(PATH, request, BETA)["context_management"]["applied_edits"]


def test_nothing_is_cleared_up_to_the_trigger() -> None:
    assert applied(*managed(5, trigger=uses(5), keep=uses(1))) == []
    assert applied(*managed(5, keep=uses(1))) == [], "the default trigger is 100,000 input tokens"


def test_the_oldest_results_are_cleared_and_the_newest_kept() -> None:
    (edit,) = applied(*managed(6, trigger=uses(5), keep=uses(4)))
    assert edit == {"type": CLEAR, "cleared_tool_uses": 2, "cleared_input_tokens": 2 * (25 - 3)}


def test_inputs_go_only_where_that_was_asked_for() -> None:
    (edit,) = applied(*managed(6, trigger=uses(5), keep=uses(4), clear_tool_inputs=True))
    assert edit["cleared_input_tokens"] > 2 * (25 - 3)


def test_excluded_tools_keep_their_results() -> None:
    assert applied(*managed(6, trigger=uses(5), keep=uses(4), exclude_tools=["ls"])) == []


def test_too_small_a_gain_clears_nothing() -> None:
    least = {"type": "input_tokens", "value": 45}
    assert applied(*managed(6, trigger=uses(5), keep=uses(4), clear_at_least=least)) == []


def test_a_constant_number_of_cleared_uses_keeps_the_prefix() -> None:
    """`keep` = uses so far - m clears the same first m results on every turn."""
    provider, _ = managed(0)
    reads = []
    for count in (6, 7, 8):
        _, request = managed(count, trigger=uses(1), keep=uses(count - 2))
        request["messages"][-1]["content"][0]["cache_control"] = MARK
        provider.answer(PATH, request, BETA)
        bill = provider.log[-1].usage
        assert bill
        reads.append((bill.input.read, bill.input.total))
    assert reads[1][0] == reads[0][1]
    assert reads[2][0] == reads[1][1]


def test_clearing_breaks_the_prefix_where_it_begins() -> None:
    provider, request = managed(6)
    request["messages"][-1]["content"][0]["cache_control"] = MARK
    provider.answer(PATH, request)
    request["context_management"] = {"edits": [{"type": CLEAR, "trigger": uses(1), "keep": uses(4)}]}
    assert provider.cached(PATH, request, BETA)[0] == 0


def test_cleared_results_do_not_unbind_thinking() -> None:
    provider, request = looped("claude-bound", 3)
    request["messages"][2]["content"][0]["content"] = "long " * 40
    assert "bound" in provider.refusal(PATH, request)
    provider, request = looped("claude-bound", 3)
    request["context_management"] = {"edits": [{"type": CLEAR, "trigger": uses(1), "keep": uses(1)}]}
    content = provider.answer(PATH, request, BETA)["content"]
    result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "x"}
    request["messages"] += [{"role": "assistant", "content": content}, user(result)]
    provider.answer(PATH, request, BETA)


def test_old_thinking_is_cleared_but_for_the_newest_turns() -> None:
    provider, request = looped("claude-bound", 3)
    keep = {"type": "thinking_turns", "value": 1}
    request["context_management"] = {"edits": [{"type": "clear_thinking_20251015", "keep": keep}]}
    (edit,) = applied(provider, request)
    assert edit == {"type": "clear_thinking_20251015", "cleared_thinking_turns": 2, "cleared_input_tokens": 2}


def test_counting_tells_both_totals() -> None:
    provider, request = managed(6, trigger=uses(5), keep=uses(4))
    del request["max_tokens"]
    found = provider.answer("/v1/messages/count_tokens", request, BETA)
    assert found["context_management"]["original_input_tokens"] == found["input_tokens"] + 2 * (25 - 3)


@pytest.mark.parametrize("edit", [{"type": "clear"}, {"type": CLEAR, "keep": {"type": "turns", "value": 1}}])
def test_an_unknown_edit_is_refused(edit: dict[str, Any]) -> None:
    provider, request = managed(1)
    provider.refusal(PATH, {**request, "context_management": {"edits": [edit]}}, BETA)


THREADS = {**ANTHROPIC, "anthropic-beta": "message-threads-2026-08-12"}


def test_a_thread_goes_on_from_the_answer_it_names() -> None:
    provider = Provider(script((Answer(calls=(ToolCall("ls"),)), Answer(text="done"))))
    first = provider.answer(PATH, body(user({"type": "text", "text": "go"}), tools=[TOOL], thread={"type": "create"}),
                            THREADS)  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": first["content"][0]["id"], "content": "x"}
    follow = body(user(result), thread={"type": "continue", "previous_message_id": first["id"]})
    assert provider.answer(PATH, follow, THREADS)["content"][0]["text"] == "done"
    provider.refusal(PATH, follow, {**THREADS, "x-api-key": "key-b"}, status=404)
    assert "thread: Extra inputs are not permitted" in provider.refusal(PATH, follow)


def test_the_anthropic_tool_runner_runs_to_the_end(serve: Any, until_closed: Any) -> None:
    turns = (Answer(calls=(ToolCall("double", '{"number": 4}'),)), Answer(text="eight"))
    url = serve(create(brain=script(turns), profiles=PROFILES))
    client: anthropic.Anthropic = until_closed(anthropic.Anthropic(api_key="k", base_url=url, max_retries=0))

    @anthropic.beta_tool
    def double(number: int) -> str:
        """Doubles a number.

        Args:
            number: any
        """
        return str(2 * number)

    runner = client.beta.messages.tool_runner(
        model="claude", max_tokens=100, tools=[double], messages=[{"role": "user", "content": "double 4"}]
    )
    last = runner.until_done()
    assert last.content[0].type == "text"
    assert last.content[0].text == "eight"


def test_a_thread_of_an_unknown_kind_is_refused() -> None:
    request = body(user({"type": "text", "text": "go"}), thread={"type": "fork"})
    assert "thread.type" in Provider().refusal(PATH, request, THREADS)


def test_inputs_of_named_tools_only_can_be_cleared() -> None:
    (some,) = applied(*managed(6, trigger=uses(5), keep=uses(4), clear_tool_inputs=["ls"]))
    (none,) = applied(*managed(6, trigger=uses(5), keep=uses(4), clear_tool_inputs=["cat"]))
    assert some["cleared_input_tokens"] > none["cleared_input_tokens"] == 2 * (25 - 3)


def test_all_thinking_can_be_kept_and_compaction_is_accepted() -> None:
    provider, request = looped("claude-bound", 3)
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "compact_20260112"}]
    assert applied(provider, {**request, "context_management": {"edits": edits}}) == []
    plain, bare = managed(1)
    assert applied(plain, {**bare, "context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}) == []


def test_an_unknown_answer_to_a_broken_prefix_is_refused() -> None:
    thinking = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "ignore"}}
    headers = {**ANTHROPIC, "anthropic-beta": "thinking-binding-controls-2026-08-01"}
    request = body(user({"type": "text", "text": "go"}), thinking=thinking)
    assert "prefix_mismatch_behavior" in Provider().refusal(PATH, request, headers)
