"""Events in, exposition out; never an exception in between."""

import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from metrics import events
from metrics.catalogue import BUILD_INFO, CATALOGUE
from metrics.events import Event
from metrics.labels import Known, Traffic
from metrics.loss import Cause, Party
from metrics.registry import MAX_REMEMBERED, Metrics

T = Traffic("anthropic", "anthropic_messages", "claude-sonnet-4-5", "claude-code", "default")
LABELS = {
    "upstream": "anthropic",
    "dialect": "anthropic_messages",
    "model": "claude-sonnet-4-5",
    "agent": "claude-code",
    "policy": "default",
}

CANARY = "sk-canary-51e0"


def _metrics(**settings: Any) -> Metrics:
    return Metrics(version="1.2.3", **settings)


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"holdfast_{name}", labels)


def _text(metrics: Metrics) -> str:
    return metrics.exposition("")[0].decode()


def test_what_is_emitted_is_exposed() -> None:
    metrics = _metrics()
    for _ in range(2):
        metrics.emit(events.Measured(T, 100, 60, None, 40, 7))
    assert _value(metrics, "input_tokens_total", **LABELS, cache="read") == 120
    assert _value(metrics, "input_tokens_total", **LABELS, cache="uncached") == 80
    metrics.emit(events.Spent(T, "settle", 0.003))
    assert _value(metrics, "overhead_seconds_sum", **LABELS, phase="settle") == 0.003
    assert _value(metrics, "overhead_seconds_bucket", **LABELS, phase="settle", le="0.0025") == 0
    assert _value(metrics, "overhead_seconds_bucket", **LABELS, phase="settle", le="0.005") == 1


def test_a_gauge_goes_up_and_down_and_a_level_is_the_last_value() -> None:
    metrics = _metrics()
    for event in (events.Begun("openai"), events.Begun("openai"), events.Ended("openai")):
        metrics.emit(event)
    assert _value(metrics, "inflight_requests", upstream="openai") == 1
    for size in (500, 300):
        metrics.emit(events.ArchiveSized("sqlite", size))
    assert _value(metrics, "archive_bytes", backend="sqlite") == 300


def test_what_is_running_is_exposed() -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert _value(_metrics(), "build_info", version="1.2.3", python=python) == 1


def test_series_of_expected_traffic_are_there_at_zero_before_the_first_request() -> None:
    metrics = _metrics(start=[T], known=Known(reasons=("duplicate_keys",), rules=("roles_alternate",)))
    for cache in ("read", "write", "uncached"):
        assert _value(metrics, "input_tokens_total", **LABELS, cache=cache) == 0
    for side in ("actual", "direct"):
        assert _value(metrics, "cost_usd_total", **LABELS, side=side) == 0
    for cause in Cause:
        named = _text(metrics).count(f'cause="{cause}"')
        assert named == 1
    assert _value(metrics, "requests_total", **LABELS, status_class="5xx", stream="true") == 0
    assert _value(metrics, "passthrough_total", **LABELS, reason="duplicate_keys") == 0
    assert _value(metrics, "rule_violations_total", **LABELS, rule="roles_alternate") == 0
    assert _value(metrics, "store_errors_total", operation="find", backend="sqlite") == 0


def test_the_first_event_of_new_traffic_brings_its_sister_series() -> None:
    metrics = _metrics()
    assert _value(metrics, "input_tokens_total", **LABELS, cache="write") is None
    metrics.emit(events.Measured(T, cache_read=5))
    assert _value(metrics, "input_tokens_total", **LABELS, cache="write") == 0
    assert _value(metrics, "cost_usd_total", **LABELS, side="direct") == 0


def test_unknown_label_values_are_counted_as_other() -> None:
    metrics = _metrics()
    odd = Traffic("anthropic", "klingon", "two words", "mallory", "default")
    metrics.emit(events.Planned(odd, "teleport", "perhaps", "because of \n reasons"))
    metrics.emit(events.Relayed(odd, 7, False))
    metrics.emit(events.CacheLost(odd, cast(Cause, "gremlins"), cast(Party, "nobody"), 3))
    metrics.emit(events.StoreFailed("explode", "tape"))
    strange = {"upstream": "anthropic", "dialect": "other", "model": "other", "agent": "other", "policy": "default"}
    assert _value(metrics, "edits_total", **strange, kind="other", verdict="other", reason="other") == 1
    assert _value(metrics, "requests_total", **strange, status_class="other", stream="false") == 1
    assert _value(metrics, "cache_lost_tokens_total", **strange, cause="other", party="other") == 3
    assert _value(metrics, "store_errors_total", operation="other", backend="other") == 1


def test_traffic_beyond_the_bound_is_counted_together() -> None:
    metrics = _metrics()
    for n in range(1_200):
        odd = Traffic("local", "openai_chat", f"model-{n % 150}", "codex", f"policy-{n // 150}")
        metrics.emit(events.PassedThrough("x", odd))
    rest = {"upstream": "local", "dialect": "openai_chat", "model": "other", "agent": "other", "policy": "other"}
    assert _value(metrics, "passthrough_total", **rest, reason="x") == 200


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, 10**400, "five"])
def test_an_amount_that_is_none_is_not_counted_and_the_event_not_in_part(amount: Any) -> None:
    metrics = _metrics()
    metrics.emit(events.Measured(T, cache_read=5, output=amount))
    assert _value(metrics, "input_tokens_total", **LABELS, cache="read") in (None, 0)


def test_the_wrong_number_of_labels_is_not_counted() -> None:
    class Odd(events.Begun):
        def moves(self) -> events.Moves:
            yield events.Move(CATALOGUE[0], ("2xx",), 1, T)

    metrics = _metrics(start=[T])
    metrics.emit(Odd("x"))
    assert _value(metrics, "requests_total", **LABELS, status_class="2xx", stream="true") == 0


def test_a_fault_is_logged_once_for_each_kind_of_event_and_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metrics = _metrics()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            metrics.emit(cast(Event, CANARY))
            metrics.emit(events.Begun(cast(str, [CANARY])))
    assert [record.getMessage() for record in caplog.records] == [
        "an event `str` was not counted: AttributeError",
        "an event `Begun` was not counted: TypeError",
    ]
    assert CANARY not in caplog.text


def _families(body: bytes) -> list[Any]:
    return list(text_string_to_metric_families(body.decode()))


WORDS = st.text(max_size=30) | st.just(CANARY)
AMOUNTS = st.integers() | st.floats() | st.none()


@given(st.lists(st.tuples(WORDS, WORDS, WORDS, AMOUNTS), max_size=6))
def test_no_event_raises_and_no_canary_is_exposed(words: list[tuple[str, str, str, Any]]) -> None:
    metrics = _metrics()
    for one, two, three, amount in words:
        traffic = Traffic(one, two, three, one, two)
        for event in (
            events.Begun(one),
            events.Relayed(traffic, amount, True, amount, amount),
            events.Measured(traffic, amount, amount, amount, amount, amount, amount),
            events.Planned(traffic, one, two, three, amount, amount),
            events.Sized(traffic, cast(Any, one), amount, amount),
            events.Spent(traffic, cast(Any, two), amount),
            events.PassedThrough(three, traffic),
            events.RuleViolated(traffic, one),
            events.StoreUsed(one, two, amount),
        ):
            metrics.emit(event)
    for accept in ("", "application/openmetrics-text"):
        assert CANARY not in metrics.exposition(accept)[0].decode()


def test_text_is_given_by_default_and_openmetrics_on_request() -> None:
    metrics = _metrics(start=[T])
    body, kind = metrics.exposition("text/html, */*")
    assert kind.startswith("text/plain; version=0.0.4")
    assert len(_families(body)) == len(CATALOGUE)
    body, kind = metrics.exposition(
        "application/openmetrics-text; version=1.0.0; q=0.5, text/plain;version=0.0.4;q=0.3"
    )
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    families: Any = openmetrics.text_string_to_metric_families
    assert len(list(families(body.decode()))) == len(CATALOGUE)


def test_there_are_no_series_of_creation_times() -> None:
    metrics = _metrics(start=[T])
    for accept in ("", "application/openmetrics-text"):
        assert b"_created" not in metrics.exposition(accept)[0]


@given(
    st.text(max_size=40)
    | st.text(max_size=10).map(lambda odd: f"application/openmetrics-text; version={odd}; escaping={odd}")
    | st.text(max_size=10).map(lambda odd: f"text/plain; version={odd}; escaping={odd}")
)
def test_any_accept_header_is_answered(accept: str) -> None:
    body, kind = SHARED.exposition(accept)
    assert body and kind.isprintable()
    kind.encode("latin-1")


SHARED = _metrics()


def test_more_series_than_are_remembered_are_still_counted() -> None:
    metrics = _metrics()
    for n in range(MAX_REMEMBERED + 5):
        metrics.emit(events.StoreFailed(f"surprise-{n}", "sqlite"))
    assert _value(metrics, "store_errors_total", operation="other", backend="sqlite") == MAX_REMEMBERED + 5
    assert len(metrics._series) <= MAX_REMEMBERED


def test_two_registries_do_not_share_a_count() -> None:
    one, two = _metrics(start=[T]), _metrics(start=[T])
    one.emit(events.Measured(T, output=5))
    assert _value(two, "output_tokens_total", **LABELS) == 0


WORKER = """
import sys
from metrics import events
from metrics.labels import Traffic
from metrics.registry import Metrics
metrics = Metrics(version="1", multiprocess_dir=sys.argv[1])
metrics.emit(events.Measured(Traffic("u", "gemini", "m", "codex", "p"), output=int(sys.argv[2])))
metrics.emit(events.ArchiveSized("sqlite", int(sys.argv[2])))
metrics.emit(events.Spent(Traffic("u", "gemini", "m", "codex", "p"), "prepare", 0.5))
sys.stdout.write(metrics.exposition("")[0].decode())
"""


def test_several_workers_expose_the_sum_of_all(root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}  # noqa: TID251 - a worker's environment
    for amount in ("5", "7"):
        command = [sys.executable, "-c", WORKER, str(tmp_path), amount]
        text = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True, text=True).stdout
    samples = {
        (sample.name, sample.labels.get("phase")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["holdfast_output_tokens_total", None] == 12
    assert samples["holdfast_archive_bytes", None] == 7
    assert samples["holdfast_overhead_seconds_count", "prepare"] == 2
    assert samples[BUILD_INFO.name, None] == 1
