"""What a worker counts, and how the counts of all workers become one page of Prometheus text (names:
docs/metrics.md).

count (plain numbers, no locks) -> snapshot in a file, about once a second -> sum of all workers' files -> exposition

A snapshot outlives its worker, so that counters never run backwards when one is replaced.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from proxy.journal import JournalState

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)

log = logging.getLogger("nightschool.metrics")

Labels = tuple[str, ...]

COUNTERS: dict[str, tuple[str, Labels]] = {
    "nightschool_requests": ("Requests answered", ("workload", "upstream", "target", "status")),
    "nightschool_incomplete": ("Answers that were cut", ("workload", "upstream", "target", "error_type")),
    "nightschool_upstream_errors": ("Failures of an upstream", ("upstream", "error_type")),
    "nightschool_fallbacks": ("Requests that a fallback answered", ("upstream",)),
    "nightschool_student_failures": (
        "Times that a replica gave no usable answer for a student",
        ("workload", "upstream", "reason"),
    ),
    "nightschool_decisions": (
        "Requests of workloads with students, by who was to answer",
        ("workload", "target", "adapter", "reason"),
    ),
    "nightschool_registry_reloads": ("Changes of the registry's files", ("file", "result")),
    "nightschool_refused": ("Requests that the proxy itself refused", ("status",)),
    "nightschool_inquiries_refused": ("Questions for the record that an upstream refused", ("upstream", "about")),
    "nightschool_config_reloads": ("Changes of the configuration file", ("result",)),
    "nightschool_journal_frames": ("Frames written to the log", ()),
    "nightschool_journal_bytes": ("Bytes written to the log", ()),
    "nightschool_records_lost": ("Frames that reached no disk", ()),
}
GAUGES: dict[str, tuple[str, Labels]] = {
    "nightschool_open_requests": ("Requests under way", ()),
    "nightschool_journal_queued_bytes": ("Waiting for a slow disk", ()),
    "nightschool_breakers_open": ("Workers that send a replica nobody", ("replica",)),
}
HISTOGRAMS: dict[str, tuple[str, Labels, tuple[float, ...]]] = {
    "nightschool_latency_seconds": ("From request to end of answer", ("workload", "upstream", "target"), SECONDS),
    "nightschool_first_token_seconds": ("From request to first byte", ("workload", "upstream", "target"), SECONDS),
    "nightschool_overhead_seconds": ("Time that the proxy added", (), OVERHEAD_SECONDS),
}


class Distribution(msgspec.Struct):
    """Counts per bucket, the last of them unbounded."""

    counts: list[int]
    sum: float = 0.0

    def observe(self, bounds: tuple[float, ...], value: float) -> None:
        self.counts[bisect_left(bounds, value)] += 1
        self.sum += value


class Series:
    """The counts of one workload, upstream and target: what every request touches, found with one look-up."""

    __slots__ = ("first_token", "latency", "statuses")

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.latency = Distribution([0] * (len(SECONDS) + 1))
        self.first_token = Distribution([0] * (len(SECONDS) + 1))


class Snapshot(msgspec.Struct):
    """All that one worker has counted since it began."""

    pid: int
    counters: dict[str, list[tuple[Labels, int]]]
    gauges: dict[str, list[tuple[Labels, int]]]
    histograms: dict[str, list[tuple[Labels, Distribution]]]


class Metrics:
    """One worker's counts; ``folder`` is where all workers leave their snapshots."""

    def __init__(self, folder: Path | None = None) -> None:
        self.open_requests = 0
        self._folder = folder
        self._counters: dict[str, Counter[Labels]] = {name: Counter() for name in COUNTERS}
        self._series: dict[Labels, Series] = {}
        self._overhead = Distribution([0] * (len(OVERHEAD_SECONDS) + 1))
        self._journal = JournalState(0, 0, 0, 0, False, None)
        self._breakers: Mapping[str, int] = {}
        self._unpublished = False
        """The latest snapshot could not be left; that has been said."""

    def count(self, name: str, *labels: str) -> None:
        self._counters[name][labels] += 1

    def answered(
        self, labels: Labels, status: int, *, latency_s: float, first_token_s: float | None, overhead_s: float
    ) -> None:
        """One request; ``labels`` are workload, upstream and target."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series()
        series.statuses[status] += 1
        series.latency.observe(SECONDS, latency_s)
        if first_token_s is not None:
            series.first_token.observe(SECONDS, first_token_s)
        self._overhead.observe(OVERHEAD_SECONDS, overhead_s)

    def breakers(self, is_open: Mapping[str, int]) -> None:
        """By name of the replica, 1 where it is sent nobody."""
        self._breakers = is_open

    def publish(self, journal: JournalState) -> None:
        """Leave a snapshot for whoever is asked for the page; a disk that refuses it costs the snapshot."""
        self._journal = journal
        if self._folder is None:
            return
        path = self._folder / f"{os.getpid()}.metrics"
        fresh = path.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.msgpack.encode(self._snapshot()))
            fresh.rename(path)
        except OSError as error:
            if not self._unpublished:
                log.warning("metrics_not_published path=%s cause=%r; other workers' pages lack this one's", path, error)
            self._unpublished = True
        else:
            self._unpublished = False

    def exposition(self) -> bytes:
        """The page: this worker's counts of now and the others' of their last snapshot."""
        registry = CollectorRegistry()
        registry.register(_Sum([self._snapshot(), *self._others()]))
        return generate_latest(registry)

    def _snapshot(self) -> Snapshot:
        journal = self._journal
        counters = {name: list(counts.items()) for name, counts in self._counters.items()}
        counters["nightschool_requests"] = [
            ((*labels, str(status)), count)
            for labels, series in self._series.items()
            for status, count in series.statuses.items()
        ]
        counters["nightschool_journal_frames"] = [((), journal.frames)]
        counters["nightschool_journal_bytes"] = [((), journal.bytes)]
        counters["nightschool_records_lost"] = [((), journal.lost)]
        return Snapshot(
            os.getpid(),
            counters,
            {
                "nightschool_open_requests": [((), self.open_requests)],
                "nightschool_journal_queued_bytes": [((), journal.queued_bytes)],
                "nightschool_breakers_open": [((name,), value) for name, value in self._breakers.items()],
            },
            {
                "nightschool_latency_seconds": [(labels, found.latency) for labels, found in self._series.items()],
                "nightschool_first_token_seconds": [(lb, found.first_token) for lb, found in self._series.items()],
                "nightschool_overhead_seconds": [((), self._overhead)],
            },
        )

    def _others(self) -> Iterator[Snapshot]:
        for path in self._folder.glob("*.metrics") if self._folder is not None else ():
            if path.stem != str(os.getpid()):
                yield msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)


class _Sum:
    """The families of several snapshots; gauges count for workers that are alive."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterable[Metric]:
        for name, (help_text, labels) in COUNTERS.items():
            yield self._counter(name, help_text, labels)
        for name, (help_text, labels) in GAUGES.items():
            yield self._gauge(name, help_text, labels)
        for name, (help_text, labels, bounds) in HISTOGRAMS.items():
            yield self._histogram(name, help_text, labels, bounds)

    def _counter(self, name: str, help_text: str, labels: Labels) -> Metric:
        total: Counter[Labels] = Counter()
        for snapshot in self._snapshots:
            for values, count in snapshot.counters[name]:
                total[values] += count
        family = CounterMetricFamily(name, help_text, labels=labels)
        for values, count in total.items():
            family.add_metric(values, count)
        return family

    def _gauge(self, name: str, help_text: str, labels: Labels) -> Metric:
        alive = [snapshot for snapshot in self._snapshots if Path(f"/proc/{snapshot.pid}").exists()]
        total: Counter[Labels] = Counter()
        for values, value in (pair for snapshot in alive for pair in snapshot.gauges[name]):
            total[values] += value
        family = GaugeMetricFamily(name, help_text, labels=labels)
        for values, value in total.items():
            family.add_metric(values, value)
        return family

    def _histogram(self, name: str, help_text: str, labels: Labels, bounds: tuple[float, ...]) -> Metric:
        total: dict[Labels, Distribution] = {}
        for snapshot in self._snapshots:
            for values, found in snapshot.histograms[name]:
                before = total.get(values, Distribution([0] * (len(bounds) + 1)))
                counts = [a + b for a, b in zip(before.counts, found.counts, strict=True)]
                total[values] = Distribution(counts, before.sum + found.sum)
        family = HistogramMetricFamily(name, help_text, labels=labels)
        ends = [*map(str, bounds), "+Inf"]
        for values, found in total.items():
            buckets = list(zip(ends, accumulate(found.counts), strict=True))
            family.add_metric(values, buckets, sum_value=found.sum)
        return family
