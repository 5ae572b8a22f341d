"""The live metrics of one process: told of events, asked for an exposition.

Rules of this room: `emit` never raises (FAIL-OPEN), and an event counts whole or not at all. Series are
there from the start, at 0, because a rate over a family that appears with its first event misses that
event. It must not know what an event means.

Several workers: set PROMETHEUS_MULTIPROC_DIR to an empty folder before this module is imported, and
name that folder here; each process then exposes the sum of all (prometheus_client's multiprocess mode).
"""

import logging
import math
import platform
from collections.abc import Iterable
from itertools import product
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, exposition
from prometheus_client.multiprocess import MultiProcessCollector

from metrics.catalogue import BUILD_INFO, CACHE_LOST, CATALOGUE, Metric
from metrics.events import Event, Move
from metrics.labels import Known, Traffic, Vocabulary
from metrics.loss import Cause, usual_party

log = logging.getLogger("holdfast.metrics")

MAX_INITIAL = 64
"""Series of one metric that are made before they are needed; a larger family waits for its events."""

MAX_REMEMBERED = 10_000
"""Series that are found without looking at their labels again."""

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

NOTHING = Known()


class Metrics:
    """`start`: traffic that is expected, so that its series exist before the first request."""

    def __init__(
        self,
        *,
        version: str,
        known: Known = NOTHING,
        start: Iterable[Traffic] = (),
        multiprocess_dir: str | None = None,
    ) -> None:
        # They would double the number of series, and nothing here reads them.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._exposed = self.registry
        if multiprocess_dir is not None:
            self._exposed = CollectorRegistry()
            MultiProcessCollector(self._exposed, multiprocess_dir)  # type: ignore[no-untyped-call]
        self._live = {metric: _create(metric, self.registry) for metric in CATALOGUE}
        self._vocabulary = Vocabulary(known)
        self._series: dict[tuple[Metric, Traffic | None, tuple[str, ...]], Counter | Histogram | Gauge] = {}
        self._met: set[Traffic] = set()
        self._failed: set[str] = set()
        self._initialise(None)
        for traffic in start:
            self._meet(traffic)
        _move(BUILD_INFO, self._live[BUILD_INFO].labels(version, platform.python_version()), 1)

    def emit(self, event: Event) -> None:
        """Count an event. What cannot be counted is logged, once for each kind."""
        try:
            found = [(move, self._find(move)) for move in event.moves()]
            for move, _ in found:
                _require_amount(move)
            for move, series in found:
                _move(move.metric, series, move.amount)
        except Exception as error:  # INVARIANT: FAIL-OPEN, a fault in counting never reaches a request
            self._fail(event, error)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type: OpenMetrics where it is asked for, else the text format."""
        # The library's own reading of this header raises on a version that is not a number, so it never sees it.
        wanted = OPENMETRICS if "application/openmetrics-text" in accept else ""
        encoder, content_type = exposition.choose_encoder(wanted)
        return encoder(self._exposed), content_type

    def _find(self, move: Move) -> Counter | Histogram | Gauge:
        """The series of a move. Remembered by the values as given: looking them up anew is most of the cost."""
        name = (move.metric, move.traffic, move.own)
        series = self._series.get(name)
        if series is None:
            if len(self._series) >= MAX_REMEMBERED:
                self._series.clear()
            given = zip(move.metric.own, move.own, strict=True)
            own = [self._vocabulary.value(label, value) for label, value in given]
            series = self._series[name] = self._live[move.metric].labels(*self._meet(move.traffic), *own)
        return series

    def _meet(self, traffic: Traffic | None) -> tuple[str, ...]:
        """The values of traffic's labels. What is met for the first time gets its series."""
        if traffic is None:
            return ()
        admitted = self._vocabulary.traffic(traffic)
        if admitted not in self._met:
            self._met.add(admitted)
            self._initialise(admitted)
        return _values(admitted)

    def _initialise(self, traffic: Traffic | None) -> None:
        values = () if traffic is None else _values(traffic)
        for metric, live in self._live.items():
            if metric.kind == "counter" and metric.is_traffic is (traffic is not None):
                for own in self._expected(metric):
                    live.labels(*values, *own)

    def _expected(self, metric: Metric) -> list[tuple[str, ...]]:
        if metric is CACHE_LOST:
            return [(cause, usual_party(cause)) for cause in Cause]
        combinations = [self._vocabulary.expected(label) for label in metric.own]
        return list(product(*combinations)) if math.prod(map(len, combinations)) <= MAX_INITIAL else []

    def _fail(self, event: Event, error: Exception) -> None:
        name = type(event).__name__
        if name not in self._failed:
            self._failed.add(name)
            # The error's own text may hold a value; its type is enough to find the place.
            log.warning("an event `%s` was not counted: %s", name, type(error).__name__)


def _create(metric: Metric, registry: CollectorRegistry) -> Counter | Histogram | Gauge:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
    mode: Literal["livesum", "mostrecent"] = "livesum" if metric.kind == "gauge" else "mostrecent"
    return Gauge(metric.name, metric.help, metric.labels, registry=registry, multiprocess_mode=mode)


def _move(metric: Metric, series: Counter | Histogram | Gauge, amount: float) -> None:
    if isinstance(series, Histogram):
        series.observe(amount)
    elif isinstance(series, Gauge) and metric.kind == "level":
        series.set(amount)
    else:
        series.inc(amount)


def _require_amount(move: Move) -> None:
    if not math.isfinite(move.amount) or (move.amount < 0 and move.metric.kind != "gauge"):
        raise ValueError("not an amount")


def _values(traffic: Traffic) -> tuple[str, ...]:
    return (traffic.upstream, traffic.dialect, traffic.model, traffic.agent, traffic.policy)
