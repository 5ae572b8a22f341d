"""Plain masking: by age, once each, and told to the agent."""

from proxy.replay.plain import FEWEST, NEWEST, becoming, placeholder
from proxy.replay.session import offered, staged
from proxy.replay.wire import script

from .sessions import count, observed, profile, trace


def proposed(sizes: list[int], newest: int = NEWEST) -> list[list[int]]:
    """Of each call, the messages that may be masked from it on."""
    stage = staged(script(trace(sizes), profile()), profile(), count)
    return [[each.message for each in offer.proposals] for offer in offered(stage, newest)]


def test_an_observation_may_be_masked_once_so_many_newer_ones_stand_behind_it() -> None:
    assert proposed([400] * 4, newest=2) == [[], [], [], [3], [5]]
    assert proposed([400] * (NEWEST + 1))[-1] == [3] and proposed([400] * NEWEST)[-1] == []
    assert proposed([400], newest=0) == [[], [3]]


def test_short_ones_and_failures_stay() -> None:
    assert proposed([FEWEST // 4, 400, 400], newest=1) == [[], [], [], [5]]
    session = trace([400, 400])
    session.messages[3]["content"] = "Traceback (most recent call last):\n" + observed(0, 400)
    stage = staged(script(session, profile()), profile(), count)
    assert stage.steps[-1].received.messages[3].blocks[0].failed
    assert not any(becoming([step.received.messages for step in stage.steps], 1))


def test_the_placeholder_says_how_much_it_was() -> None:
    stage = staged(script(trace([400]), profile()), profile(), count)
    block = stage.steps[-1].received.messages[3].blocks[0]
    text = placeholder(block)
    assert f"{block.lines} lines" in text and f"{block.tokens} tokens" in text and "line 0-0 of it" in text
    assert count(text) < FEWEST
