"""What every stage tells Prometheus, under one set of names."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.log import Lag
from streams.records import BACKFILL


class StageMetrics:
    """Made once for a registry; the stages of a process share it, each under its name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, documentation: str) -> Counter:
            return Counter(name, documentation, ["stage"], registry=registry)

        self.records_in = counter("rasid_records_in", "Records a stage consumed and committed.")
        self.records_out = counter("rasid_records_out", "Records a stage wrote to a topic.")
        self.records_failed = counter(
            "rasid_records_failed", "Attempts to handle a record that ended in an error."
        )
        self.records_retried = counter(
            "rasid_records_retried", "Attempts to handle a record again after an error."
        )
        self.records_dead = counter("rasid_records_dead", "Records that went to the dead letters.")
        self.seconds = Histogram(
            "rasid_stage_seconds",
            "Time a stage took for one batch, from having it in hand to its commit.",
            ["stage"],
            registry=registry,
            buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
        )
        self.lag = Gauge(
            "rasid_lag_records",
            "Committed records that a stage has yet to consume, but for those of a backfill.",
            ["stage"],
            registry=registry,
        )
        self.backfill_lag = Gauge(
            "rasid_backfill_lag_records",
            "Committed records of a backfill that a stage has yet to consume.",
            ["stage"],
            registry=registry,
        )
        self.heartbeat = Gauge(
            "rasid_stage_heartbeat_timestamp_seconds",
            "When a stage's loop last came round, whether or not there was work.",
            ["stage"],
            registry=registry,
        )
        self._beats: dict[str, float] = {}

    def begin(self, stage: str) -> None:
        """Show a stage's series from the start, at zero."""
        for metric in (
            self.records_in,
            self.records_out,
            self.records_failed,
            self.records_retried,
            self.records_dead,
            self.seconds,
        ):
            metric.labels(stage)

    def beat(self, stage: str) -> None:
        """The stage has come round, at work or standing by: it is not stuck."""
        self._beats[stage] = time.monotonic()
        self.heartbeat.labels(stage).set_to_current_time()

    def ended(self, stage: str) -> None:
        """The stage has ended for a reason it told: it is not stuck either."""
        self._beats.pop(stage, None)
        self.heartbeat.remove(stage)

    def beats(self) -> Mapping[str, float]:
        """Stage → when it last came round, by `time.monotonic`."""
        return dict(self._beats)

    def set_lag(self, lag: Lag) -> None:
        """Take every stage's from `Log.lag()`, for stages that do not run here too. A backfill
        waits by design, and is told apart."""
        for stage, behind in lag.items():
            live = sum(records for topic, records in behind.items() if topic != BACKFILL)
            self.lag.labels(stage).set(live)
            if BACKFILL in behind:
                self.backfill_lag.labels(stage).set(behind[BACKFILL])


class LogMetrics:
    """What a log on Kafka tells Prometheus; a SQLite file leaves them at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rebalances = Counter(
            "rasid_log_rebalances",
            "Times that a stage's group was formed anew around this instance (Kafka).",
            ["stage"],
            registry=registry,
        )
        self.commits_failed = Counter(
            "rasid_log_commits_failed",
            "Transactions of a stage that were refused, aborted or not answered (Kafka).",
            ["stage"],
            registry=registry,
        )
        self.restored = Counter(
            "rasid_log_restored_records",
            "Records read to restore a table (Kafka).",
            ["table"],
            registry=registry,
        )
        self.restoring = Gauge(
            "rasid_log_restoring_records",
            "Records still to be read until a table is restored (Kafka).",
            ["table"],
            registry=registry,
        )

    def begin(self, stage: str) -> None:
        """Show a stage's series from the start, at zero: what grows from nothing is seen to."""
        self.rebalances.labels(stage)
        self.commits_failed.labels(stage)
