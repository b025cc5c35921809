"""The alert stage: Reports in, stories kept, messages out.

    rasid.flags ──▶ decide ──▶ rasid.stories, rasid.alerts      one transaction with the position
    rasid.alerts ─▶ a row of rasid.deliveries, due now          one transaction with the position
    rows due ─────▶ couriers, a thread a receiver ──▶ outcome   one transaction a round

One thread, the caller of `run`, touches the log; couriers hand their outcomes back to it. A
message is recorded as sent after it was: killed between the two, it is sent once more after
the restart. A receiver has one message in flight, so that is one at most.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TextIO

import structlog
from prometheus_client import CollectorRegistry

from alerts.held import HeldBack
from alerts.holding import NO_GATE, Gate
from alerts.ledger import Ledger
from alerts.metrics import AlertMetrics
from alerts.receivers import Receiver
from alerts.routing import Route
from alerts.sender import Sender, channel_for
from streams.errors import LogUnavailable, NewerSchema, OwnershipLost
from streams.log import Clock, Stage
from streams.metrics import StageMetrics
from streams.records import ALERTS, FLAGS, Silence
from streams.worker import RetryPolicy, Worker

log = structlog.get_logger(__name__)

BATCH: Final = 200
STAND_BY_S: Final = 1.0
POLL_S: Final = 0.25
OUTCOME_S: Final = 0.02  # how long an outcome is waited for before the log is looked at again
DRAIN_S: Final = 5.0


class AlertStage:
    """`stage` must read `rasid.alerts` and `rasid.flags`. `reload` and `ready` may be used from
    any thread, `run` is called once. `out` stands in for the terminal's standard output."""

    def __init__(
        self,
        stage: Stage,
        receivers: Sequence[Receiver],
        route: Route,
        *,
        max_age_s: float,
        clock: Clock,
        registry: CollectorRegistry,
        metrics: StageMetrics,
        gate: Gate = NO_GATE,
        operators: str | None = None,
        silences: Callable[[], Sequence[Silence]] = tuple,
        out: TextIO | None = None,
    ) -> None:
        self.ready = False
        self._stage = stage
        self._metrics = metrics
        self._alert_metrics = AlertMetrics(registry)
        self._clock = clock
        self._held = HeldBack(stage)
        self._sender = Sender(
            stage,
            clock=clock,
            metrics=self._alert_metrics,
            stage_metrics=metrics,
            held=self._held,
            out=out,
        )
        self._ledger = Ledger(
            stage, route, max_age_s=max_age_s, clock=clock, held=self._held, silences=silences
        )
        self._worker = Worker(
            stage,
            {FLAGS: self._ledger.on_report, ALERTS: self._ledger.on_alert},
            clock=clock,
            metrics=metrics,
            batch=BATCH,
            wait=self._wait,
        )
        self._stop = threading.Event()  # run's, while it runs
        self._loaded = False
        self._lock = threading.Lock()
        self._asked: tuple[list[Receiver], Route, float, Gate, str | None] | None = None
        self.reload(receivers, route, max_age_s, gate, operators)

    def reload(
        self,
        receivers: Sequence[Receiver],
        route: Route,
        max_age_s: float,
        gate: Gate = NO_GATE,
        operators: str | None = None,
    ) -> None:
        """Go on with these from the next round on. Messages waiting for a receiver that is no
        longer there become dead letters. Raises ConfigError, and then changes nothing."""
        for receiver in receivers:
            channel_for(receiver)
        with self._lock:
            self._asked = (list(receivers), route, max_age_s, gate, operators)

    def run(self, stop: threading.Event) -> None:
        """Live until `stop` is set: stand by for the seat, work, then give what is in flight
        five seconds, record what came of it, and leave. Raises NewerSchema and LogCorrupt."""
        self._stop = stop
        acquired = False
        failures = 0
        retry = RetryPolicy()
        try:
            while not stop.is_set():
                self._metrics.beat(self._stage.name)
                try:
                    if not acquired:
                        acquired = self._stage.acquire(STAND_BY_S)
                        self._loaded = False
                        continue
                    self._round()
                    self.ready, failures = True, 0
                except NewerSchema:
                    self._drain(acquired)
                    raise
                except OwnershipLost as error:
                    acquired = self.ready = False
                    log.warning("seat_lost", stage=self._stage.name, error=str(error))
                except LogUnavailable as error:
                    self.ready = False
                    if not failures:
                        log.warning(
                            "log_unavailable",
                            stage=self._stage.name,
                            reason=error.reason,
                            error=str(error),
                        )
                    failures += 1
                    stop.wait(retry.log_wait_s(failures))
            self._drain(acquired)
        finally:
            self.ready = False
            self._sender.stop()
            self._stage.close()

    def _round(self) -> None:
        self._configure()
        if not self._loaded:
            self._load()
        # 1. Outcomes recorded, then the next message of each receiver sent.
        self._sender.step()
        # 2. What was held and may be told now, as digests.
        self._held.tell(self._clock(), self._sender.well)
        # 3. What is taken at once is recorded at once: killed before that, it would be repeated.
        if self._sender.busy:
            self._sender.collect(OUTCOME_S)
            self._sender.record()
        # 4. New Reports become stories and alerts, new alerts become deliveries.
        busy = self._sender.busy
        wait_s = 0.0 if busy else self._held.wait_s(self._clock(), self._sender.wait_s(POLL_S))
        consumed = self._consume(wait_s)
        # 5. Where nothing is to be read, the next thing to happen is an outcome.
        if busy and not consumed:
            self._sender.collect(OUTCOME_S)

    def _configure(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            receivers, self._ledger.route, self._ledger.max_age_s, self._ledger.gate, who = asked
            self._ledger.operators = who
            self._held.wishes = self._ledger.gate.wishes
            self._ledger.editable = {each.name for each in receivers if each.editable}
            self._sender.configure(receivers, expiry_s=self._ledger.max_age_s, operators=who)

    def _load(self) -> None:
        """Take up what the tables hold: after a start, or when memory may be ahead of them."""
        self._stage.rewind()
        self._ledger.load()
        self._sender.load(self._ledger.pending(), self._ledger.troubles)
        self._loaded = True

    def _consume(self, timeout_s: float) -> int:
        try:
            consumed = self._worker.step(timeout_s)
        except BaseException:
            self._loaded = False
            raise
        if consumed:
            landed = self._ledger.landed()
            for decision, count in landed.decisions.items():
                self._alert_metrics.reports.labels(decision).inc(count)
            for reason, count in landed.held.items():
                self._alert_metrics.held.labels(reason).inc(count)
            for receiver, alert, story, queued, due in landed.queued:
                self._sender.add(receiver, alert, story=story, queued=queued, due=due)
        return consumed

    def _drain(self, acquired: bool) -> None:
        """Give what is in flight a few seconds, and record what comes of it. A seat that was lost
        is taken again for that, if nobody has it: a commit that a broker did not answer in time
        loses it too. Who has it by now reads the row as unsent, and nobody can tell it."""
        deadline = time.monotonic() + DRAIN_S
        while self._sender.busy and (left := deadline - time.monotonic()) > 0:
            try:
                if not acquired:
                    acquired = self._stage.acquire(min(left, STAND_BY_S))
                    continue
                self._sender.collect(min(left, 0.1))
                self._sender.record()
            except LogUnavailable:
                time.sleep(min(left, 0.1))
            except OwnershipLost:
                acquired = False

    def _wait(self, worker_stop: threading.Event, seconds: float) -> bool:
        """How the worker waits to try again: watching our stop."""
        self.ready = False
        if self._stop.wait(seconds):
            worker_stop.set()
        return worker_stop.is_set()
