"""What a call beside the agent's own asked for is said at the tail of its next request, and stays there."""

from policies.policy import Policy
from proxy.answering.calls import Called
from proxy.answering.owing import MAX_CHARACTERS, words
from tests.proxy.driving import CHAT, IDLE, Replica, Result, Results, run, texts, turns_of, work

NOTE = "[context note, added by a proxy: what you asked for beside the calls above]\nrecall {} gave:\nthe code is 4711"


def begun(policy: Policy = IDLE) -> Replica:
    """After two turns, the second of which owes something."""
    replica, turns = Replica(policy), turns_of(work(4))
    replica.turn(CHAT, turns[0])
    prepared = replica.turn(CHAT, turns[1])
    assert prepared.planned
    prepared.planned.turn.owed = NOTE
    return replica


def last(body: bytes) -> str:
    return texts(CHAT, body)[-1]


def test_the_words_name_each_call_and_are_bounded() -> None:
    assert words([Called("recall", "{}")], ["the code is 4711"]) == NOTE
    assert len(words([Called("recall", "{}")], ["x" * 10**6])) < MAX_CHARACTERS + 100


def test_it_stands_behind_the_newest_observation_and_nothing_else_changes() -> None:
    replica, turns = begun(), turns_of(work(4))
    prepared = replica.turn(CHAT, turns[2])
    assert last(prepared.body).endswith(f"\n\n{NOTE}")
    assert prepared.plan and prepared.plan.prefix == "kept"
    assert [one.edit.kind for one in prepared.plan.applied] == ["recall"]


def test_it_is_said_once_and_stays_on_later_turns_and_after_a_restart() -> None:
    replica, turns = begun(), turns_of(work(4))
    sent = last(replica.turn(CHAT, turns[2]).body)
    for process in (replica, replica.beside()):
        body = process.turn(CHAT, turns[3]).body
        assert sent in texts(CHAT, body) and body.count(b"4711") == 1


def test_a_retry_says_the_same() -> None:
    replica, turns = begun(), turns_of(work(4))
    assert replica.turn(CHAT, turns[2]).body == replica.turn(CHAT, turns[2]).body


def test_a_request_that_does_not_go_on_from_there_is_told_nothing() -> None:
    replica, turns = begun(), turns_of(work(4))
    pruned = [*turns[2][:2], Results((Result("c0", "cleared"),)), *turns[2][3:]]
    assert b"4711" not in run(replica.prepare(CHAT, CHAT.body(pruned))).body
