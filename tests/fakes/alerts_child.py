"""An alert stage as a process of its own, to be killed: LOG WEBHOOK_URL."""

import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry

from alerts.receivers import Receiver, SlackOptions
from alerts.routing import Route
from alerts.stage import AlertStage
from streams.metrics import StageMetrics
from streams.records import ALERTS, FLAGS
from streams.sqlite import SqliteLog
from tests.fakes.alerts_bench import utc_now

if __name__ == "__main__":
    registry = CollectorRegistry()
    AlertStage(
        SqliteLog(Path(sys.argv[1]), clock=utc_now).stage("alert", reads=(ALERTS, FLAGS)),
        [Receiver("desk", SlackOptions(webhook_url=sys.argv[2]))],
        Route("desk"),
        max_age_s=86_400,
        clock=utc_now,
        registry=registry,
        metrics=StageMetrics(registry),
    ).run(threading.Event())
