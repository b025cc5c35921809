"""What the alert stage tells Prometheus, beside what every stage does."""

from collections.abc import Mapping
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.changes import OUTCOMES
from alerts.holding import Reason

ALERT_OUTCOMES = ("sent", "edited", "retried", "refused", "dead", "expired")


class AlertMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.alerts = Counter(
            "rasid_alerts",
            "What became of messages: sent, edited, retried (a try that failed), refused (a"
            " recipient of several, for good), dead, expired.",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.reports = Counter(
            "rasid_reports",
            "Reports by what was decided: what is told of, or why nothing is.",
            ["decision"],
            registry=registry,
        )
        self.held = Counter(
            "rasid_alerts_held",
            "Messages not sent when they were due, by what held them.",
            ["reason"],
            registry=registry,
        )
        for reason in get_args(Reason):
            self.held.labels(reason)
        self.seen_to_sent = Histogram(
            "rasid_seen_to_sent_seconds",
            "From an entry first seen in a feed to its alert taken by a receiver.",
            registry=registry,
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
        )
        self.pending = Gauge(
            "rasid_deliveries_pending",
            "Messages due to a receiver and not yet taken.",
            ["receiver"],
            registry=registry,
        )
        self.oldest = Gauge(
            "rasid_deliveries_oldest_pending_timestamp_seconds",
            "When the oldest message not yet taken by a receiver was queued; no series where none"
            " waits.",
            ["receiver"],
            registry=registry,
        )
        for outcome in OUTCOMES:
            self.reports.labels(outcome)
        self._shown: set[str] = set()

    def show(self, receivers: set[str]) -> None:
        """Have series for these receivers from the start, and none for those removed."""
        for name in receivers - self._shown:
            self.pending.labels(name).set(0)
            for outcome in ALERT_OUTCOMES:
                self.alerts.labels(name, outcome)
        for name in self._shown - receivers:
            self.pending.remove(name)
            self.oldest.remove(name)
        self._shown = set(receivers)

    def set_pending(self, pending: Mapping[str, int], oldest: Mapping[str, datetime]) -> None:
        for name in self._shown:
            self.pending.labels(name).set(pending.get(name, 0))
            if name in oldest:
                self.oldest.labels(name).set(oldest[name].timestamp())
            else:
                self.oldest.remove(name)
