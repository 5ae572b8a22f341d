"""Where a cut of the baselines puts its markers, and what it may not touch."""

import json
from typing import Any

import pytest

from policies.core.profile import Breakpoints, LongestPrefix
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.replay.cache import Prompt
from proxy.replay.cuts import bound, marked, markers, moved
from proxy.replay.prompts import Reader, Sent

from .sessions import count

READER = Reader(ANTHROPIC_MESSAGES, "/v1/messages", count)
MARKER = {"cache_control": {"type": "ephemeral"}}


def spoken(*texts: str, last: dict[str, Any] | None = None) -> Sent:
    """Calls and their results in turn, one block a message; the last one is marked as told."""
    told: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "go"}]}]
    for number, text in enumerate(texts):
        use = {"type": "tool_use", "id": str(number), "name": "read", "input": {}}
        told.append({"role": "assistant", "content": [use]})
        told.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": str(number), "content": text}]})
    told[-1]["content"][-1] |= MARKER if last is None else last
    return READER.read(json.dumps({"model": "m", "messages": told}).encode())


@pytest.mark.parametrize(
    ("first", "newest", "expected"),
    [(2, 1, [2, 6]), (2, 2, [2, 4]), (4, 2, [4]), (2, 9, [2]), (6, 1, [6])],
)
def test_markers_stand_before_the_cut_and_before_the_oldest_observation_that_stays(
    first: int, newest: int, expected: list[int]
) -> None:
    assert markers(Breakpoints(), spoken("a", "b", "c"), first, newest) == expected


def test_there_are_no_more_markers_than_the_model_takes_and_none_where_the_client_caches_nothing() -> None:
    received = spoken("a", "b", "c")
    assert markers(Breakpoints(limit=2), received, 2, 1) == [2] and markers(Breakpoints(limit=1), received, 2, 1) == []
    assert markers(Breakpoints(limit=2, automatic=True), received, 2, 1) == []
    assert markers(Breakpoints(), spoken("a", "b", "c", last={}), 2, 1) == []
    assert markers(LongestPrefix(), received, 2, 1) == []


def test_a_marker_in_front_of_a_long_lived_one_lives_long() -> None:
    client = Prompt((), (), (), (), (3, 7), (7,))
    assert (marked(client, client, (5, 9)).marks, marked(client, client, (5, 9)).long) == ((3, 5, 7, 9), (5, 7))


def test_reasoning_that_is_signed_is_bound() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [thought]}]}
    assert bound(READER.read(json.dumps(body).encode()).messages) == 1
    assert bound(spoken("a").messages) == -1


def test_a_request_that_goes_on_has_not_moved_whatever_its_markers() -> None:
    short, long = spoken("a", last={}), spoken("a", "b")
    assert not moved(short, long) and not moved(spoken("a"), short)
    assert moved(long, short) and moved(spoken("b"), spoken("a", "b"))
