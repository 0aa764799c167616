"""All workers' counts are one page; what was counted stays counted, what was open is gone with its worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from proxy.journal import JournalState
from proxy.metrics import COUNTERS, GAUGES, HISTOGRAMS, OVERHEAD_SECONDS, Distribution, Metrics, Snapshot

IDLE = JournalState(0, 0, 0, 0, False, None)
REQUEST = ("invoices", "main", "teacher")


def value(metrics: Metrics, series: str) -> float | None:
    """The number behind a series, e.g. ``nightschool_open_requests``."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    return float(found[1]) if found else None


def leave_as(pid: int, folder: Path) -> None:
    """Turn the snapshot of this process into that of another worker."""
    path = folder / f"{os.getpid()}.metrics"
    snapshot = msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
    path.unlink()
    (folder / f"{pid}.metrics").write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(snapshot, pid=pid)))


def busy_worker(folder: Path) -> Metrics:
    metrics = Metrics(folder)
    metrics.open_requests = 3
    metrics.answered(REQUEST, 200, latency_s=0.02, first_token_s=0.01, overhead_s=0.00015)
    metrics.answered(REQUEST, 200, latency_s=700.0, first_token_s=None, overhead_s=0.00025)
    metrics.publish(JournalState(frames=10, bytes=1000, lost=2, queued_bytes=50, behind=True, last_error=None))
    return metrics


@pytest.fixture
def dead_pid() -> int:
    """A process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


SERIES = 'nightschool_requests_total{status="200",target="teacher",upstream="main",workload="invoices"}'
FIRST_TOKENS = 'nightschool_first_token_seconds_count{target="teacher",upstream="main",workload="invoices"}'
SLOWEST = 'nightschool_latency_seconds_bucket{le="%s",target="teacher",upstream="main",workload="invoices"}'


def test_one_worker_shows_its_counts_of_now() -> None:
    metrics = Metrics()
    metrics.open_requests = 1
    metrics.answered(REQUEST, 200, latency_s=0.02, first_token_s=0.01, overhead_s=0.0001)

    assert (value(metrics, SERIES), value(metrics, "nightschool_open_requests")) == (1, 1)


def test_the_counts_of_two_workers_are_added(tmp_path: Path) -> None:
    busy_worker(tmp_path)
    leave_as(os.getppid(), tmp_path)
    metrics = busy_worker(tmp_path)
    metrics.answered(
        REQUEST, 200, latency_s=0.02, first_token_s=0.01, overhead_s=0.0001
    )  # behind its own snapshot, and shown nevertheless

    assert value(metrics, SERIES) == 5
    assert value(metrics, "nightschool_open_requests") == 6
    assert value(metrics, "nightschool_journal_queued_bytes") == 100
    assert value(metrics, "nightschool_journal_frames_total") == 20
    assert value(metrics, "nightschool_journal_bytes_total") == 2000
    assert value(metrics, "nightschool_records_lost_total") == 4
    assert value(metrics, "nightschool_overhead_seconds_count") == 5
    assert value(metrics, "nightschool_overhead_seconds_sum") == pytest.approx(0.0009)
    assert value(metrics, SLOWEST % "600.0") == 3
    assert value(metrics, SLOWEST % "+Inf") == 5
    assert value(metrics, FIRST_TOKENS) == 3


def test_a_dead_workers_counters_are_kept_and_its_gauges_dropped(tmp_path: Path, dead_pid: int) -> None:
    busy_worker(tmp_path)
    leave_as(dead_pid, tmp_path)
    metrics = Metrics(tmp_path)

    assert value(metrics, SERIES) == 2
    assert value(metrics, "nightschool_records_lost_total") == 2
    assert value(metrics, "nightschool_overhead_seconds_count") == 2
    assert value(metrics, "nightschool_open_requests") == 0
    assert value(metrics, "nightschool_journal_queued_bytes") == 0


def test_a_worker_does_not_count_its_own_snapshot_twice(tmp_path: Path) -> None:
    assert value(busy_worker(tmp_path), SERIES) == 2


def test_publishing_leaves_one_whole_file(tmp_path: Path) -> None:
    metrics = busy_worker(tmp_path)
    metrics.publish(IDLE)

    assert [path.name for path in tmp_path.iterdir()] == [f"{os.getpid()}.metrics"]


def test_a_folder_that_refuses_the_snapshot_is_told_of_once_until_it_takes_one_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "metrics"
    metrics = Metrics(folder)

    for _ in range(3):
        metrics.publish(IDLE)
    assert [record.message.split()[0] for record in caplog.records] == ["metrics_not_published"]

    folder.mkdir()
    metrics.publish(IDLE)
    assert len(list(folder.iterdir())) == 1
    (folder / f"{os.getpid()}.metrics").unlink()
    folder.rmdir()
    metrics.publish(IDLE)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.0001, 0), (0.00011, 1), (1.0, len(OVERHEAD_SECONDS) - 1), (1.1, len(OVERHEAD_SECONDS))],
)
def test_a_value_on_the_bound_belongs_to_its_bucket(seconds: float, bucket: int) -> None:
    distribution = Distribution([0] * (len(OVERHEAD_SECONDS) + 1))
    distribution.observe(OVERHEAD_SECONDS, seconds)

    assert distribution.counts.index(1) == bucket
    assert distribution.sum == seconds


def test_buckets_add_up_from_below() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.0002, 0.3, 5.0):
        metrics.answered(REQUEST, 200, latency_s=1.0, first_token_s=None, overhead_s=seconds)

    bucket = 'nightschool_overhead_seconds_bucket{le="%s"}'
    assert [value(metrics, bucket % le) for le in ("0.0001", "0.00025", "0.1", "1.0", "+Inf")] == [1, 2, 2, 3, 4]


def test_answers_are_told_apart_by_status_and_by_who_gave_them() -> None:
    metrics = Metrics()
    for labels, status in ((REQUEST, 200), (REQUEST, 429), (REQUEST, 429), (("", "main", "teacher"), 200)):
        metrics.answered(labels, status, latency_s=1.0, first_token_s=None, overhead_s=0.0)

    latencies = 'nightschool_latency_seconds_count{target="teacher",upstream="main",workload="%s"}'
    assert value(metrics, SERIES) == 1
    assert value(metrics, SERIES.replace("200", "429")) == 2
    assert value(metrics, SERIES.replace("invoices", "")) == 1
    assert [value(metrics, latencies % workload) for workload in ("invoices", "")] == [3, 1]
    assert value(metrics, FIRST_TOKENS) == 0


def test_every_metric_is_on_the_page_from_the_start() -> None:
    page = Metrics().exposition().decode()

    for name in (*COUNTERS, *GAUGES, *HISTOGRAMS):
        assert f"# TYPE {name}" in page


def test_label_values_with_quotes_and_newlines_do_not_break_the_page() -> None:
    metrics = Metrics()
    metrics.count("nightschool_refused", 'a"b\nc\\')

    assert 'nightschool_refused_total{status="a\\"b\\nc\\\\"} 1.0' in metrics.exposition().decode()
