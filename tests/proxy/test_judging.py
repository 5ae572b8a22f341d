"""Context health as the driver tells it: in every wire format, once a turn, with evidence that can be found again."""

import json

import pytest

from metrics.events import ContextHealth
from policies.core.health import Signal
from policies.policy import Policy
from proxy.accounting import accounted
from proxy.store.memory import MemoryStore
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    IDLE,
    WIRES,
    Answer,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    elements,
    large,
    run,
    turns_of,
)

ERROR = "Error: there is no such file"


def told(*texts: str) -> list[Step]:
    """A task, and calls with these answers."""
    steps: list[Step] = [User("Please fix the bug.")]
    for number, text in enumerate(texts):
        steps += [Answer("I shall look.", (f"c{number}",)), Results((Result(f"c{number}", text),))]
    return steps


def bodies(wire: Wire, *texts: str) -> list[bytes]:
    """The requests of that session, all its calls for one file."""
    files = [f"src/c{number}.py".encode() for number in range(1, len(texts))]
    found = []
    for turn in turns_of(told(*texts)):
        body = wire.body(turn)
        for file in files:
            body = body.replace(file, b"src/c0.py")
        found.append(body)
    return found


def health(replica: Replica, wire: Wire, sent: list[bytes]) -> list[tuple[Signal, ...]]:
    """Of each exchange."""
    for body in sent:
        run(replica.send(wire, body))
    return [settled.health for settled in replica.witness.accounts[-len(sent) :]]


def said(wire: Wire, body: bytes, signal: Signal) -> list[str]:
    """The messages of its evidence."""
    return [json.dumps(json.loads(elements(wire, body)[place])) for place in signal.messages]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_failure_that_comes_again_is_found_in_every_wire_format(wire: Wire) -> None:
    sent = bodies(wire, ERROR, ERROR, ERROR)
    *before, second, third = health(Replica(IDLE), wire, sent)
    assert not any(before) and third == ()
    assert [(one.sign, one.what, one.tools) for one in second] == [("poisoning", "same_failure", ("read_file",))]
    assert [ERROR in text for text in said(wire, sent[2], second[0])] == [True, True]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_file_that_is_read_again_is_found_in_every_wire_format(wire: Wire) -> None:
    sent = bodies(wire, large("a"), large("b"))
    signals = health(Replica(IDLE), wire, sent)[-1]
    assert [(one.sign, one.what) for one in signals] == [("clash", "file_read_again")]
    first, second = said(wire, sent[-1], signals[0])
    assert "a line 1" in first and "b line 1" in second


@pytest.mark.parametrize("mode", ["enforce", "shadow", "off"])
def test_what_is_masked_on_the_wire_no_longer_clashes(mode: str) -> None:
    policy = Policy(name="p", mode=mode, mask=EAGER.mask)  # type: ignore[arg-type]
    signals = health(Replica(policy), CHAT, bodies(CHAT, large("a"), large("b")))[-1]
    assert len(signals) == (0 if mode == "enforce" else 1)


@pytest.mark.parametrize("wire", [ANTHROPIC, CHAT], ids=lambda wire: wire.name)
def test_a_retry_and_a_restart_count_nothing_twice(wire: Wire) -> None:
    sent = bodies(wire, ERROR, ERROR, "fine")
    replica = Replica(IDLE)
    first, again = health(replica, wire, sent[:3])[-1], health(replica, wire, sent[2:3])[-1]
    assert first == again != ()
    counted = [event for settled in replica.witness.accounts for event in accounted(settled)]
    assert [event.signal for event in counted if isinstance(event, ContextHealth)] == ["poisoning"]
    assert health(replica.beside(), wire, sent[3:]) == [()]


def test_the_evidence_is_kept_with_the_turn() -> None:
    store = MemoryStore()
    replica = Replica(IDLE, store=store)
    planned = [run(replica.send(CHAT, body)) for body in bodies(CHAT, ERROR, ERROR)][-1].planned
    assert planned is not None
    outcome = run(store.outcome(planned.tenant, planned.turn.record.key))
    assert outcome is not None and outcome.story is not None
    assert outcome.story.health == replica.witness.accounts[-1].health != ()


def test_a_request_that_passes_through_has_no_health() -> None:
    replica = Replica(IDLE)
    assert health(replica, CHAT, [b"{"]) == [()]


def test_a_sign_is_logged_without_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "holdfast.exchange")
    health(Replica(IDLE), CHAT, bodies(CHAT, ERROR, ERROR))
    (line,) = [record.getMessage() for record in caplog.records if "signs of trouble" in record.getMessage()]
    assert line.endswith("turn 3, poisoning (same_failure)")
