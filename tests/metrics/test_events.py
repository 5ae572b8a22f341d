"""Each event moves what it says it moves, and what was not reported moves nothing."""

import pytest

from metrics import events
from metrics.events import Event
from metrics.labels import Traffic
from metrics.loss import Cause, Party

T = Traffic("anthropic", "anthropic_messages", "claude-sonnet-4-5", "claude-code", "default")

Expected = list[tuple[str, tuple[str, ...], float]]

CASES: list[tuple[Event, Expected]] = [
    (events.Begun("openai"), [("inflight_requests", ("openai",), 1)]),
    (events.Ended("openai"), [("inflight_requests", ("openai",), -1)]),
    (
        events.Relayed(T, 200, True, 1.5, 0.25),
        [
            ("requests_total", ("2xx", "true"), 1),
            ("upstream_seconds", (), 1.5),
            ("time_to_first_byte_seconds", (), 0.25),
        ],
    ),
    (events.Relayed(T, 499, False), [("requests_total", ("4xx", "false"), 1)]),
    (
        events.Measured(T, 100, 60, 30, 10, 7, 110),
        [
            ("input_tokens_total", ("read",), 60),
            ("input_tokens_total", ("write",), 30),
            ("input_tokens_total", ("uncached",), 10),
            ("output_tokens_total", (), 7),
            ("token_estimate_error_ratio", (), 0.1),
        ],
    ),
    (events.Measured(T, 100, estimated_input=75), [("token_estimate_error_ratio", (), 0.25)]),
    (events.Measured(T, cache_read=0), [("input_tokens_total", ("read",), 0)]),
    (events.Measured(T, input=0, estimated_input=5), []),
    (events.Measured(T, estimated_input=5), []),
    (events.Measured(T), []),
    (events.Achievable(T, 900), [("cache_achievable_tokens_total", (), 900)]),
    (
        events.CacheLost(T, Cause.POLICY_MASK, Party.POLICY, 40),
        [("cache_lost_tokens_total", ("policy_mask", "policy"), 40)],
    ),
    (events.Costed(T, "direct", 0.5), [("cost_usd_total", ("direct",), 0.5)]),
    (
        events.Planned(T, "mask", "applied", "pays", 3, 1200),
        [
            ("edits_total", ("mask", "applied", "pays"), 3),
            ("removed_tokens_total", ("mask", "applied", "pays"), 1200),
        ],
    ),
    (
        events.Planned(T, "mask", "deferred", "rent_below_price", 3, 1200),
        [("edits_total", ("mask", "deferred", "rent_below_price"), 3)],
    ),
    (
        events.Sized(T, "sent", 50_000, 200_000),
        [("context_tokens", ("sent",), 50_000), ("context_fill_ratio", ("sent",), 0.25)],
    ),
    (events.ContextHealth(T, "clash", 2), [("context_health_total", ("clash",), 2)]),
    (events.Sized(T, "received", 50_000), [("context_tokens", ("received",), 50_000)]),
    (events.Spent(T, "prepare", 0.002), [("overhead_seconds", ("prepare",), 0.002)]),
    (events.PassedThrough("duplicate_keys"), [("passthrough_total", ("duplicate_keys",), 1)]),
    (events.Unmeasured(T), [("unmeasured_total", (), 1)]),
    (events.RuleViolated(T, "call_without_result"), [("rule_violations_total", ("call_without_result",), 1)]),
    (events.StoreUsed("find", "sqlite", 0.001), [("store_operations_seconds", ("find", "sqlite"), 0.001)]),
    (events.StoreFailed("put", "sqlite"), [("store_errors_total", ("put", "sqlite"), 1)]),
    (events.SocketClosed("up", "agent"), [("websocket_ends_total", ("up", "agent"), 1)]),
    (events.ArchiveSized("sqlite", 4096), [("archive_bytes", ("sqlite",), 4096)]),
    (events.Recalled("tool"), [("recalls_total", ("tool",), 1)]),
    (events.OwnCall("refused"), [("own_calls_total", ("refused",), 1)]),
]


@pytest.mark.parametrize(("event", "expected"), CASES, ids=lambda value: type(value).__name__)
def test_an_event_moves_what_it_says(event: Event, expected: Expected) -> None:
    moves = list(event.moves())
    assert [(move.metric.name.removeprefix("holdfast_"), move.own, move.amount) for move in moves] == expected
    assert {move.metric for move in moves} <= set(event.MOVES)
    for move in moves:
        assert (move.traffic is not None) is move.metric.is_traffic
        assert len(move.own) == len(move.metric.own)


def test_every_event_is_tried_and_moves_all_that_it_lists() -> None:
    tried: dict[type, set[object]] = {}
    for event, _ in CASES:
        tried.setdefault(type(event), set()).update(move.metric for move in event.moves())
    assert tried == {event: set(event.MOVES) for event in Event.__args__}
