"""What a run came to: it fits a terminal, says what is an estimate, and says so where nothing came."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from metrics.events import CacheLost, Costed, Event, Measured, PassedThrough, Planned, Relayed, Sized
from metrics.labels import Traffic
from metrics.loss import Cause, Party
from metrics.tally import Tally
from proxy.commands.run_summary import Ran, document, dollars, plain, report, tokens
from proxy.tables import WIDTH

SONNET = Traffic("anthropic", "anthropic_messages", "claude-sonnet-4-5", "claude-code", "default")
HAIKU = replace(SONNET, model="claude-haiku-4-5")
FREE = Traffic("local", "openai_chat", "qwen3-coder", "aider", "default")


def answered(traffic: Traffic, read: int, written: int, fresh: int, *costs: float) -> list[Event]:
    events: list[Event] = [
        Relayed(traffic, 200, stream=True),
        Measured(traffic, read + written + fresh, read, written, fresh, 100),
    ]
    if costs:
        events += [Costed(traffic, "actual", costs[0]), Costed(traffic, "direct", costs[1])]
    return events


def ran(*events: Event, **more: object) -> Ran:
    tally = Tally()
    for event in events:
        tally.add(event)
    one = Ran(
        agent="claude",
        policy="default",
        tally=tally,
        sessions={"claude-sonnet-4-5": {"a", "b"}, "claude-haiku-4-5": {"a"}},
        store="~/.local/state/holdfast/state.db",
        log="~/.local/state/holdfast/run.log",
        read_back="holdfast archive get ID",
        base="http://127.0.0.1:4242",
        given=("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"),
    )
    return replace(one, **more)  # type: ignore[arg-type]  # named as the fields are


BUSY = (
    *answered(SONNET, 900_000, 50_000, 50_000, 1.5, 2.0),
    *answered(HAIKU, 0, 0, 812, 0.0008, 0.0008),
    Planned(SONNET, "mask", "applied", "pays", 12, 40_000),
    Planned(SONNET, "mask", "deferred", "rent", 4, 0),
    Planned(SONNET, "mask", "deferred", "bound", 4, 0),
    Sized(SONNET, "received", 1_200_000),
    Sized(SONNET, "sent", 1_000_000),
    CacheLost(SONNET, Cause.POLICY_MASK, Party.POLICY, 30_100),
    PassedThrough("no_messages"),
)


def test_a_busy_run_is_told_in_full_and_fits() -> None:
    text = report(ran(*BUSY))
    assert max(map(len, text.splitlines())) <= WIDTH
    for expected in (
        "holdfast: 2 requests in 2 sessions, policy default",
        "claude-haiku-4-5          1         1",
        "input     1.00M tokens: 900.0k from cache (89.9 %), 50.0k written, 50.8k fresh",
        "output    200 tokens",
        "cost      $1.50 at list prices; direct an estimated $2.00: 25 % less",
        "masked    12 observations; about 200.0k tokens fewer sent (estimate)",
        "deferred  requests on which masking would not have paid: rent 1, bound 1",
        "lost      cached tokens: policy_mask 30.1k tokens (1x)",
        "passed    not looked at: no_messages 1",
        "originals holdfast archive get ID",
        "state     ~/.local/state/holdfast/state.db",
        "log       ~/.local/state/holdfast/run.log",
    ):
        assert expected in text
    assert "direct (est.)" in text


def test_what_was_changed_before_it_was_sent_is_told_apart() -> None:
    events = (
        Planned(SONNET, "shape", "applied", "first_sending", 30, 9_000),
        Planned(SONNET, "recite", "applied", "first_sending", 2, 0),
        Planned(SONNET, "stabilize", "applied", "first_sending", 1, 0),
        Planned(SONNET, "stabilize", "applied", "replay", 3),
        Planned(SONNET, "stabilize", "deferred", "elsewhere", 1),
    )
    text = report(
        ran(*answered(SONNET, 1, 1, 1), *events, Sized(SONNET, "received", 20_000), Sized(SONNET, "sent", 10_000))
    )
    for expected in (
        "shaped    30 observations before they were sent; about 10.0k tokens fewer sent (estimate)",
        "noted     3 notes at the tail",
        "replayed  3 messages in the bytes of their first sending",
    ):
        assert expected in text
    assert "deferred" not in text
    assert "shaped    30 observations before they were sent\n" in report(ran(*BUSY, *events))


def test_the_document_says_the_same() -> None:
    found = json.loads(json.dumps(document(ran(*BUSY))))
    sonnet = found["models"]["claude-sonnet-4-5"]
    assert (sonnet["requests"], sonnet["sessions"], sonnet["input_tokens"]) == (1, 2, 1_000_000)
    assert (sonnet["hit_rate"], sonnet["cost_usd"], sonnet["direct_usd_estimate"]) == (0.9, 1.5, 2.0)
    assert found["losses"] == {"policy_mask": {"times": 1, "tokens": 30_100}}
    masked = {"kind": "mask", "verdict": "applied", "reason": "pays", "edits": 12, "requests": 1}
    assert masked in found["edits"]
    assert found["passthroughs"] == {"no_messages": 1}


def test_what_is_not_known_is_no_number() -> None:
    text = report(ran(*answered(SONNET, 1, 1, 1, 1.0, 1.0), *answered(FREE, 0, 0, 10), Relayed(FREE, 200, stream=True)))
    assert "(of the models whose prices in dollars are known)" in text
    assert "unknown   1 answer without reported usage, in no figure above" in text
    (row,) = (line for line in text.splitlines() if line.startswith("qwen3-coder"))
    assert row.split()[-2:] == ["-", "-"]
    assert "cost" not in report(ran(*answered(FREE, 0, 0, 10)))


def test_errors_are_said() -> None:
    assert "errors    1 request answered with an error" in report(ran(Relayed(SONNET, 429, stream=False)))


@pytest.mark.parametrize(
    ("actual", "direct", "said"),
    [(1.0, 1.001, ": the same"), (1.1, 1.0, ": 10 % more"), (0.0, 0.0, ": the same"), (0.5, 1.0, ": 50 % less")],
)
def test_a_difference_is_said_either_way(actual: float, direct: float, said: str) -> None:
    assert said in report(ran(*answered(SONNET, 1, 1, 1, actual, direct)))


def test_what_a_policy_in_shadow_would_have_done_was_not_done() -> None:
    planned = Planned(SONNET, "mask", "applied", "shadow", 12, 40_000), Planned(SONNET, "mask", "deferred", "shadow", 3)
    text = report(ran(*answered(SONNET, 1, 1, 1), *planned))
    assert "shadow    1 request would have been edited; all went out as they came" in text
    assert "masked" not in text and "originals" not in text and "deferred" not in text


def test_what_was_refused_here_is_said() -> None:
    refused = Relayed(Traffic(), 413, stream=False)
    said = "refused   1 request before any upstream; the log says why"
    assert said in report(ran(*answered(SONNET, 1, 1, 1), refused))
    assert report(ran(refused)).splitlines()[:2] == [
        "holdfast: 1 request, none that asks a model for an answer",
        said,
    ]


def test_state_in_memory_has_nothing_to_read_back() -> None:
    text = report(ran(*BUSY, store="", log=""))
    assert "originals" not in text
    assert "state     was in memory" in text and "log       none: its folder cannot be written to" in text


def test_a_run_without_a_request_says_so_and_what_to_do() -> None:
    text = report(ran(hint="It has a hint.", elsewhere="Try this."))
    assert text == (
        "holdfast: no request came through\n"
        "Does `claude` read one of these?\n"
        "set       for http://127.0.0.1:4242: ANTHROPIC_BASE_URL, OPENAI_BASE_URL\n"
        "It has a hint.\n"
        "Try this.\n"
        "log       ~/.local/state/holdfast/run.log"
    )


def test_where_other_requests_came_the_agent_does_use_the_proxy() -> None:
    text = report(ran(*[Relayed(Traffic("anthropic"), 200, stream=False)] * 2, hint="It has a hint."))
    assert text == (
        "holdfast: 2 requests, none that asks a model for an answer\nlog       ~/.local/state/holdfast/run.log"
    )


def test_long_lists_go_on_on_the_next_line() -> None:
    text = report(ran(given=tuple(f"VARIABLE_NUMBER_{n}" for n in range(12))))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "VARIABLE_NUMBER_11" in text


def test_a_models_name_cannot_write_to_the_terminal() -> None:
    assert "\x1b" not in report(ran(*answered(replace(FREE, model="evil\x1b]0;x\x07"), 0, 0, 1)))
    assert plain("a\nb") == "a?b" and len(plain("x" * 500)) == 60


def test_colour_is_for_the_headings_only() -> None:
    lines = report(ran(*BUSY), colour=True).splitlines()
    assert [n for n, line in enumerate(lines) if "\x1b" in line] == [0, 2]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (999_949, "999.9k"), (999_950, "1.00M"), (12_345_678, "12.35M")],
)
def test_tokens_are_short(count: int, shown: str) -> None:
    assert tokens(count) == shown


@pytest.mark.parametrize(("usd", "shown"), [(None, "-"), (0.00123, "$0.0012"), (12.345, "$12.35")])
def test_small_amounts_have_four_decimals(usd: float | None, shown: str) -> None:
    assert dollars(usd) == shown


def test_the_page_shows_what_is_printed() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "run.md").read_text(encoding="utf-8")
    for label in ("requests in", "from cache (", "at list prices", "state  ", "log  "):
        assert label in page
