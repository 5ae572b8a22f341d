"""Every metric, once: name, type, what it says, labels, buckets.

Rules of this room: base units (seconds, tokens, bytes, USD), counters end in `_total`, no averages.
Dashboards, alerts and documentation are checked against this list. It must not know what moves a metric.
"""

from dataclasses import dataclass
from typing import Literal

from metrics.labels import TRAFFIC

Kind = Literal["counter", "histogram", "gauge", "level"]
"""A gauge is added to and taken from, and is summed over processes; of a level the last value counts."""

SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LONG = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
TOKENS = (1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 96e3, 128e3, 160e3, 200e3, 256e3, 400e3, 512e3, 1e6, 2e6)
FILL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.2)
ERROR = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """`labels`: those of traffic first, where it is about a request, then its own."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """The labels beyond those of traffic."""
        return tuple(label for label in self.labels if not self.is_traffic or label not in TRAFFIC)

    @property
    def is_traffic(self) -> bool:
        return self.labels[: len(TRAFFIC)] == TRAFFIC


def _counter(name: str, help: str, *own: str) -> Metric:
    return Metric(name, "counter", help, (*TRAFFIC, *own))


def _histogram(name: str, help: str, buckets: tuple[float, ...], *own: str) -> Metric:
    return Metric(name, "histogram", help, (*TRAFFIC, *own), buckets)


REQUESTS = _counter(
    "holdfast_requests_total", "Requests answered, by class of status and whether streamed", "status_class", "stream"
)
INPUT_TOKENS = _counter(
    "holdfast_input_tokens_total",
    "Input tokens as reported by the provider: read from its cache, written to it, or neither; hit rate = read / all",
    "cache",
)
OUTPUT_TOKENS = _counter("holdfast_output_tokens_total", "Output tokens as reported by the provider")
CACHE_ACHIEVABLE = _counter(
    "holdfast_cache_achievable_tokens_total",
    "Estimate of input tokens that could have been read from the cache by the provider's rules",
)
CACHE_LOST = _counter(
    "holdfast_cache_lost_tokens_total",
    "Input tokens that could have been read from the cache and were not, by cause and by whose doing it was",
    *("cause", "party"),
)
COST = _counter(
    "holdfast_cost_usd_total",
    "US dollars at list prices: as spent, and an estimate of what it had been without Holdfast (direct)",
    "side",
)
EDITS = _counter(
    "holdfast_edits_total",
    "Edits proposed, by the planner's verdict and its reason",
    *("kind", "verdict", "reason"),
)
REMOVED_TOKENS = _counter(
    "holdfast_removed_tokens_total",
    "Estimate of tokens that applied edits took out of a request, counted once for each edit",
    *("kind", "verdict", "reason"),
)
CONTEXT_TOKENS = _histogram(
    "holdfast_context_tokens", "Estimate of a request's input tokens, as received and as sent", TOKENS, "stage"
)
CONTEXT_FILL = _histogram(
    "holdfast_context_fill_ratio", "Input tokens of a request against the effective context limit", FILL, "stage"
)
CONTEXT_HEALTH = _counter(
    "holdfast_context_health_total", "Signs of trouble in a context, each counted when it begins", "signal"
)
OVERHEAD = _histogram("holdfast_overhead_seconds", "Time that Holdfast itself took, by phase", SHORT, "phase")
UPSTREAM = _histogram("holdfast_upstream_seconds", "Time from the request sent upstream to the end of its answer", LONG)
FIRST_BYTE = _histogram(
    "holdfast_time_to_first_byte_seconds", "Time from a request's arrival to the first byte of its answer", LONG
)
PASSTHROUGH = _counter("holdfast_passthrough_total", "Requests forwarded without being looked at, by reason", "reason")
UNMEASURED = _counter("holdfast_unmeasured_total", "Answers without usage: in no figure of tokens, hit rate or cost")
RULE_VIOLATIONS = _counter(
    "holdfast_rule_violations_total",
    "Rewritten requests that broke a rule of the provider, so that the original was sent instead",
    "rule",
)
ESTIMATE_ERROR = _histogram(
    "holdfast_token_estimate_error_ratio",
    "Distance of the estimate from the reported input tokens, against the reported ones",
    ERROR,
)
STORE_SECONDS = Metric(
    "holdfast_store_operations_seconds",
    "histogram",
    "Time of a call to the store or the archive",
    ("operation", "backend"),
    SHORT,
)
STORE_ERRORS = Metric(
    "holdfast_store_errors_total",
    "counter",
    "Calls to the store or the archive that failed; the request went on without them",
    ("operation", "backend"),
)
ARCHIVE_BYTES = Metric("holdfast_archive_bytes", "level", "Size of the archived originals, as kept", ("backend",))
RECALLS = Metric("holdfast_recalls_total", "counter", "Originals that were read back, by the way it was done", ("via",))
OWN_CALLS = Metric(
    "holdfast_own_calls_total",
    "counter",
    "Calls of tools that Holdfast answers inside a response, by what became of them",
    ("outcome",),
)
SOCKETS = Metric(
    "holdfast_websocket_ends_total", "counter", "Relayed WebSockets that ended, by why", ("upstream", "end")
)
INFLIGHT = Metric("holdfast_inflight_requests", "gauge", "Requests that are being served", ("upstream",))
BUILD_INFO = Metric("holdfast_build_info", "level", "Always 1; the labels say what is running", ("version", "python"))

CATALOGUE: tuple[Metric, ...] = (
    *(REQUESTS, INPUT_TOKENS, OUTPUT_TOKENS, CACHE_ACHIEVABLE, CACHE_LOST, COST, EDITS, REMOVED_TOKENS),
    *(CONTEXT_TOKENS, CONTEXT_FILL, CONTEXT_HEALTH, OVERHEAD, UPSTREAM, FIRST_BYTE, PASSTHROUGH, UNMEASURED),
    *(RULE_VIOLATIONS, ESTIMATE_ERROR, STORE_SECONDS, STORE_ERRORS, ARCHIVE_BYTES, RECALLS, OWN_CALLS, SOCKETS),
    *(INFLIGHT, BUILD_INFO),
)
