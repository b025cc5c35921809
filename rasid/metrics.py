"""What the process tells Prometheus of itself; what a stage tells stands with the stage."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rasid import __version__


def make_registry() -> CollectorRegistry:
    """A registry with what the process tells of itself; every name begins `rasid_`."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody reads
    registry = CollectorRegistry()
    ProcessCollector(namespace="rasid", registry=registry)
    Gauge(
        "rasid_build_info", "Always 1; the version is a label.", ["version"], registry=registry
    ).labels(__version__).set(1)
    return registry


class DaemonMetrics:
    """Of the daemon as a whole. `ready` answers for each stage whether it can work."""

    def __init__(
        self, registry: CollectorRegistry, ready: Mapping[str, Callable[[], bool]]
    ) -> None:
        self._reloads = Counter(
            "rasid_reloads",
            "Times the configuration was asked to be read again: done, or refused for a mistake.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("done", "refused"):
            self._reloads.labels(outcome)
        stage_ready = Gauge(
            "rasid_stage_ready",
            "Whether a stage has its seat at the log and can work: 1 or 0.",
            ["stage"],
            registry=registry,
        )
        for stage, answers in ready.items():
            stage_ready.labels(stage).set_function(answers)

    def reloaded(self, *, done: bool) -> None:
        self._reloads.labels("done" if done else "refused").inc()


class LogFile(Collector):
    """The log's file and the disk it is on, looked at when Prometheus asks; nothing while they
    cannot be seen. `path` is None where the log is no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def collect(self) -> Iterator[GaugeMetricFamily]:
        size = GaugeMetricFamily(
            "rasid_log_file_bytes", "Size of the SQLite log, its write-ahead file included."
        )
        free = GaugeMetricFamily(
            "rasid_log_disk_free_bytes", "Space left for Rasid on the disk of the SQLite log."
        )
        total = GaugeMetricFamily(
            "rasid_log_disk_size_bytes", "Size of the disk of the SQLite log."
        )
        if self._path is not None:
            wal = self._path.with_name(self._path.name + "-wal")
            try:
                usage = shutil.disk_usage(self._path.parent)
                files = [file.stat().st_size for file in (self._path, wal) if file.exists()]
            except OSError:
                files = []  # the stages tell why
            else:
                free.add_metric([], usage.free)
                total.add_metric([], usage.total)
            if files:
                size.add_metric([], sum(files))
        yield from (size, free, total)
