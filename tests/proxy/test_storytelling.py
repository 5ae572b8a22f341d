"""What is kept of a plan is enough to explain it, and stays small."""

from collections.abc import Sequence

import msgspec

from policies.core.outcome import STEPS, Story, Tally
from policies.core.planner import horizon
from policies.core.usage import Usage
from policies.mask import Mask
from policies.policy import Policy
from proxy.exchange import settle
from proxy.store.memory import MemoryStore
from tests.proxy.driving import CHAT, EAGER, IDLE, Answer, Replica, Result, Results, User, large, run, work
from tests.proxy.driving import Step as DrivenStep

LAZY = Policy(name="lazy", mask=Mask(keep_newest=1, min_tokens=61, when="on_pressure"))


def _told(policy: Policy, *requests: Sequence[DrivenStep]) -> Story:
    """What is kept of the last of these requests."""
    store = MemoryStore()
    replica = Replica(policy, store=store)
    planned = [replica.turn(CHAT, request).planned for request in requests][-1]
    assert planned is not None
    outcome = run(store.outcome(planned.tenant, planned.turn.record.key))
    assert outcome is not None and outcome.story is not None
    return outcome.story


def _story(policy: Policy, turns: int) -> Story:
    return _told(policy, *(work(turn) for turn in range(1, turns + 1)))


def test_a_turn_tells_who_asked_for_it_and_what_was_there_before() -> None:
    story = _story(IDLE, 3)
    assert (story.agent, story.upstream, story.dialect, story.policy) == ("unknown", "api", "openai_chat", "idle")
    assert (story.prefix, story.age, story.turns) == ("kept", 10.0, horizon(3))
    assert 0 < story.cached < story.tokens and story.lives > 0
    assert (story.tallies, story.steps) == ((), ())


def test_the_first_turn_has_nothing_before_it() -> None:
    story = _story(IDLE, 1)
    assert (story.prefix, story.age, story.cached) == ("first", None, 0)


def test_each_proposal_is_told_with_its_place_its_tool_and_its_verdict() -> None:
    story = _story(EAGER, 3)
    (step,) = story.steps
    assert (step.kind, step.verdict, step.reason, step.tool) == ("mask", "applied", "always", "read_file")
    assert step.message == 5  # behind the system message, the task, two answers and an observation
    assert story.tallies == (Tally("mask", "applied", "always", 1, step.removes),)
    assert story.received - story.tokens > step.removes


def test_what_waits_is_told_too() -> None:
    story = _story(LAZY, 4)
    assert {(step.verdict, step.reason) for step in story.steps} == {("deferred", "no_pressure")}
    assert [step.message for step in story.steps] == [3, 5, 7]


def test_a_long_list_is_cut_and_its_sums_are_whole() -> None:
    ids = [f"call{number}" for number in range(STEPS + 20)]
    results = Results(tuple(Result(id, large(id)) for id in ids))
    newest = Answer("one more", ("last",)), Results((Result("last", large("last")),))
    story = _told(LAZY, [User("go"), Answer("all", tuple(ids)), results, *newest])
    assert (len(story.steps), story.tallies[0].count) == (STEPS, STEPS + 20)
    assert len(msgspec.msgpack.encode(story)) < 8_000


def test_what_the_provider_itself_says_is_kept_beside_ours() -> None:
    store = MemoryStore()
    replica = Replica(IDLE, store=store)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(1))))
    run(settle(prepared, replica.context, Usage(input=9, cache_read=0, diagnosis="tools_changed"), replica.now))
    planned = prepared.planned
    assert planned is not None
    ((_, outcome),) = run(store.turns(planned.tenant, planned.turn.record.session))
    assert outcome is not None and outcome.story is not None
    assert outcome.story.diagnosis == "tools_changed"
