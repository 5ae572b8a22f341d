"""The catalogue says what the interface promises: names, types and labels, word for word."""

import ast
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from metrics import events, labels
from metrics.catalogue import BUILD_INFO, CATALOGUE, Metric
from metrics.registry import Metrics

TRAFFIC = ("upstream", "dialect", "model", "agent", "policy")

PROMISED = {
    "holdfast_requests_total": ("counter", (*TRAFFIC, "status_class", "stream")),
    "holdfast_input_tokens_total": ("counter", (*TRAFFIC, "cache")),
    "holdfast_output_tokens_total": ("counter", TRAFFIC),
    "holdfast_cache_achievable_tokens_total": ("counter", TRAFFIC),
    "holdfast_cache_lost_tokens_total": ("counter", (*TRAFFIC, "cause", "party")),
    "holdfast_cost_usd_total": ("counter", (*TRAFFIC, "side")),
    "holdfast_edits_total": ("counter", (*TRAFFIC, "kind", "verdict", "reason")),
    "holdfast_removed_tokens_total": ("counter", (*TRAFFIC, "kind", "verdict", "reason")),
    "holdfast_context_tokens": ("histogram", (*TRAFFIC, "stage")),
    "holdfast_context_fill_ratio": ("histogram", (*TRAFFIC, "stage")),
    "holdfast_context_health_total": ("counter", (*TRAFFIC, "signal")),
    "holdfast_overhead_seconds": ("histogram", (*TRAFFIC, "phase")),
    "holdfast_upstream_seconds": ("histogram", TRAFFIC),
    "holdfast_time_to_first_byte_seconds": ("histogram", TRAFFIC),
    "holdfast_passthrough_total": ("counter", (*TRAFFIC, "reason")),
    "holdfast_unmeasured_total": ("counter", TRAFFIC),
    "holdfast_rule_violations_total": ("counter", (*TRAFFIC, "rule")),
    "holdfast_token_estimate_error_ratio": ("histogram", TRAFFIC),
    "holdfast_store_operations_seconds": ("histogram", ("operation", "backend")),
    "holdfast_store_errors_total": ("counter", ("operation", "backend")),
    "holdfast_archive_bytes": ("gauge", ("backend",)),
    "holdfast_recalls_total": ("counter", ("via",)),
    "holdfast_own_calls_total": ("counter", ("outcome",)),
    "holdfast_websocket_ends_total": ("counter", ("upstream", "end")),
    "holdfast_inflight_requests": ("gauge", ("upstream",)),
    "holdfast_build_info": ("gauge", ("version", "python")),
}

VALUES = {
    "cache": {"read", "write", "uncached"},
    "side": {"actual", "direct"},
    "party": {"client", "policy", "provider"},
    "kind": {"mask", "shape", "compact", "stabilize", "tools", "recite", "recall", "breakpoints"},
    "verdict": {"applied", "deferred", "rejected"},
    "stage": {"received", "sent"},
    "signal": {"poisoning", "distraction", "confusion", "clash"},
    "phase": {"prepare", "first_byte", "settle"},
}


def test_names_types_and_labels_are_the_promised_ones() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    ours = {metric.name: (metric.kind.replace("level", "gauge"), metric.labels) for metric in CATALOGUE}
    assert ours == PROMISED


def test_label_values_are_the_promised_ones() -> None:
    assert {label: set(map(str, labels.CLOSED[label])) for label in VALUES} == VALUES
    for metric in CATALOGUE:
        if metric is not BUILD_INFO:
            assert set(metric.labels) <= {*labels.CLOSED, *labels.ROOM}


def test_what_is_exposed_is_the_catalogue() -> None:
    body, _ = Metrics(version="1", start=[labels.Traffic()]).exposition("")
    families = {
        (family.name + "_total" if family.type == "counter" else family.name): (family.type, family.documentation)
        for family in text_string_to_metric_families(body.decode())
    }
    assert families == {m.name: (m.kind.replace("level", "gauge"), m.help) for m in CATALOGUE}


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert metric.name.startswith("holdfast_")
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    assert metric.help and not metric.help.endswith(".")
    assert bool(metric.buckets) is (metric.kind == "histogram")
    assert metric.buckets == tuple(sorted(set(metric.buckets)))


def test_every_metric_is_moved_by_an_event() -> None:
    moved = {metric for event in events.Event.__args__ for metric in event.MOVES}
    assert moved == set(CATALOGUE) - {BUILD_INFO}


def test_every_event_is_in_the_closed_list() -> None:
    source = Path(events.__file__).read_text(encoding="utf-8")
    classes = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    assert {event.__name__ for event in events.Event.__args__} == classes - {"Move"}
