"""Which policy, which settings, which sessions are held out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from policies.mask import Mask, MaskForTool
from policies.policy import ForTool, Policy
from policies.routes import (
    OFF,
    Match,
    Route,
    Routes,
    for_tool,
    in_holdout,
    in_use,
    mask_for,
    matches,
    policy_for,
    shape_for,
    shapes,
)
from policies.shape import Shape, ShapeForTool

POLICIES = {name: Policy(name=name) for name in ("default", "aggressive", "observe")}
REQUEST = {"upstream": "anthropic", "path": "/v1/messages", "model": "claude-sonnet-4-5", "agent": "claude-code"}


def chosen(*entries: Route, asked: str = "", **request: str) -> str:
    return policy_for(Routes(entries, POLICIES), **{**REQUEST, **request}, asked=asked).name


def test_the_first_match_wins() -> None:
    first, second = Route("aggressive", Match(model="claude-*")), Route("observe", Match(agent="claude-code"))
    assert chosen(first, second) == "aggressive"
    assert chosen(second, first) == "observe"
    assert chosen(first, second, model="gpt-5") == "observe"


def test_an_entry_without_match_is_for_everything() -> None:
    assert chosen(Route("aggressive", Match(model="gpt-*")), Route("observe")) == "observe"


def test_where_nothing_matches_default_is_used() -> None:
    assert chosen(Route("aggressive", Match(model="gpt-*"))) == "default"
    assert chosen() == "default"


@pytest.mark.parametrize("key", ["upstream", "path", "model", "agent"])
def test_all_patterns_of_a_match_must_hold(key: str) -> None:
    match = Match(**{**REQUEST, key: "other*"})
    assert not matches(match, **REQUEST)
    assert matches(match, **{**REQUEST, key: "otherwise"})


def test_upper_and_lower_case_are_alike() -> None:
    assert chosen(Route("observe", Match(model="Claude-*")), model="CLAUDE-x") == "observe"


def test_what_the_client_asks_for_wins_over_the_routes() -> None:
    assert chosen(Route("observe"), asked="aggressive") == "aggressive"


def test_an_unknown_name_is_as_if_nothing_had_been_asked() -> None:
    assert chosen(Route("observe"), asked="nonsense") == "observe"


def test_off_can_always_be_asked_for() -> None:
    assert chosen(Route("aggressive"), asked="off") == "off"
    assert (OFF.mode, OFF.mask.when, OFF.stabilize.replay) == ("off", "never", False)


@given(st.text(), st.floats(0, 1))
def test_a_session_is_held_out_always_or_never(session: str, share: float) -> None:
    assert in_holdout(session, share) is in_holdout(session, share)


def test_whether_a_session_is_held_out_is_the_same_in_every_process() -> None:
    assert [in_holdout(f"session-{n}", 0.5) for n in range(8)] == [False, False, True, True, False, True, True, True]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_held_out_is_close_to_what_is_asked(share: float) -> None:
    count = sum(in_holdout(f"session-{n}", share) for n in range(20_000))
    assert abs(count / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


@given(st.text())
def test_a_share_of_nothing_holds_out_nobody_and_of_all_everybody(session: str) -> None:
    assert not in_holdout(session, 0.0)
    assert in_holdout(session, 1.0)


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_out_the_same_sessions_and_more(session: str, one: float, other: float) -> None:
    assert in_holdout(session, min(one, other)) <= in_holdout(session, max(one, other))


def with_tools(**per_tool: ForTool) -> Policy:
    return Policy(name="x", mask=Mask(keep_newest=10, min_tokens=200), per_tool=per_tool)


def test_a_tool_without_an_entry_has_the_settings_of_the_policy() -> None:
    policy = with_tools(bash=ForTool(mask=MaskForTool(keep_newest=1)))
    assert mask_for(policy, "read_file") is policy.mask


def test_an_entry_of_a_tool_replaces_what_it_says_and_nothing_else() -> None:
    policy = with_tools(read_file=ForTool(mask=MaskForTool(keep_newest=20, keep_errors=False, when="never")))
    assert mask_for(policy, "read_file") == Mask(keep_newest=20, min_tokens=200, keep_errors=False, when="never")


def test_an_exact_name_goes_before_a_pattern_and_the_first_pattern_before_others() -> None:
    entries = {
        name: ForTool(shape=ShapeForTool(max_tokens=n)) for n, name in enumerate(("mcp_*", "mcp_a*", "mcp_a1"), start=1)
    }
    policy = with_tools(**entries)
    found = [for_tool(policy, tool).shape.max_tokens for tool in ("mcp_a1", "mcp_a2", "mcp_b", "bash")]
    assert found == [3, 1, 1, None]


def test_what_shows_files_is_not_shaped_but_where_a_tool_is_told_to() -> None:
    policy = with_tools(
        read_file=ForTool(shape=ShapeForTool(lossless=True)), bash=ForTool(shape=ShapeForTool(max_tokens=7))
    )
    policy = replace(policy, shape=Shape(max_tokens=900))
    assert shape_for(policy, "grep", shows=False) == Shape(lossless=True, repeats=True, max_tokens=900)
    assert shape_for(policy, "grep", shows=True) == Shape(lossless=False, repeats=True, max_tokens=None)
    assert shape_for(policy, "read_file", shows=True) == Shape(lossless=True, repeats=True, max_tokens=None)
    assert shape_for(policy, "bash", shows=True) == Shape(lossless=False, repeats=True, max_tokens=7)
    assert shape_for(policy, "bash", shows=False) == Shape(lossless=True, repeats=True, max_tokens=7)


def test_a_policy_shapes_where_any_of_its_settings_does() -> None:
    none = Shape(lossless=False, numbers=False, repeats=False)
    assert shapes(Policy("x")) and not shapes(Policy("x", shape=none))
    one_each = ({"lossless": True}, {"numbers": True}, {"repeats": True}, {"max_tokens": 9})
    for own in (convert(each, ShapeForTool) for each in one_each):
        assert shapes(Policy("x", shape=none, per_tool={"a": ForTool(shape=own)}))


def test_the_policies_in_use_end_where_a_route_is_for_everything() -> None:
    some, all_else = Route("aggressive", Match(model="x")), Route("observe")
    assert in_use(Routes((), POLICIES)) == ("default",)
    assert in_use(Routes((some,), POLICIES)) == ("aggressive", "default")
    assert in_use(Routes((some, all_else), POLICIES)) == ("aggressive", "observe")
