"""The sender: deliveries by their due time to the couriers, and what came of them recorded.

Called by the stage's thread, the only one that touches the log.
"""

import queue
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Final, TextIO

import msgspec
import structlog

from alerts.channel import Channel
from alerts.courier import Courier, Outcome
from alerts.deliveries import Conclusion, conclude
from alerts.errors import SendError
from alerts.held import HeldBack
from alerts.ledger import Pending
from alerts.mail import EmailChannel
from alerts.metrics import AlertMetrics
from alerts.outbox import Outbox
from alerts.push import PushChannel
from alerts.receivers import (
    EmailOptions,
    PushOptions,
    Receiver,
    SlackOptions,
    TerminalOptions,
    WebhookOptions,
)
from alerts.rows import Later, Rows
from alerts.terminal import TerminalChannel
from alerts.trouble import Trouble, after, to_tell
from alerts.webhook import HttpChannel
from streams.errors import ConfigError
from streams.log import Clock, Stage, Transaction
from streams.metrics import StageMetrics
from streams.notices import notice
from streams.records import CANARY, Delivery

log = structlog.get_logger(__name__)

HOPELESS_BATCH: Final = 500
EXPIRY_LEAST_S: Final = 3600.0
STUCK_S: Final = 300.0  # channels have timeouts of their own, but for each piece of an answer
LATER_S: Final = 1.0  # after which an edit looks again whether its message was sent
# Slack: one message a second and channel, short bursts tolerated;
# https://docs.slack.dev/apis/web-api/rate-limits
SLACK_INTERVAL_S: Final = 1.0
SLACK_BURST: Final = 5


def channel_for(receiver: Receiver, out: TextIO | None = None) -> Channel:
    """The way to a receiver; `out` stands in for standard output."""
    match receiver.channel:
        case SlackOptions(webhook_url=str(url)):
            # slack_sdk, as Apprise, is imported by those who send by it.
            from alerts.slack import WebhookChannel

            return WebhookChannel(url, receiver.manner)
        case SlackOptions(token=str(token), channel=str(channel), api_url=api_url):
            from alerts.slack import BotChannel

            return BotChannel(token, channel, api_url, receiver.manner)
        case EmailOptions():
            return EmailChannel(receiver)
        case WebhookOptions(url=url, secret=secret):
            return HttpChannel(url, secret, receiver.manner)
        case PushOptions(url=url):
            return PushChannel(receiver.name, url, receiver.manner)
        case TerminalOptions():
            return TerminalChannel(out, receiver.manner)
    raise ConfigError(f"receiver {receiver.name}: slack needs webhook_url, or token and channel")


class Sender:
    def __init__(
        self,
        stage: Stage,
        *,
        clock: Clock,
        metrics: AlertMetrics,
        stage_metrics: StageMetrics,
        held: HeldBack,
        out: TextIO | None = None,
    ) -> None:
        self._held = held
        self._rows = Rows(stage, stage_metrics)
        self._clock = clock
        self._metrics = metrics
        self._out = out
        self._outbox = Outbox()
        self._couriers: dict[str, Courier] = {}
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._returned: list[Outcome] = []  # taken from the queue, not recorded yet
        self._expiry_s = EXPIRY_LEAST_S
        self._operators: str | None = None
        self._troubles: dict[str, Trouble] = {}

    def configure(
        self, receivers: Sequence[Receiver], *, expiry_s: float, operators: str | None = None
    ) -> None:
        """Send to these from now on; what waits longer than `expiry_s` is given up.
        `operators`: who is told of receivers in trouble."""
        self._operators = operators
        self._expiry_s = max(expiry_s, EXPIRY_LEAST_S)
        before, self._couriers = self._couriers, {}
        for receiver in receivers:
            courier = before.pop(receiver.name, None)
            if courier is not None and courier.receiver != receiver:
                courier.stop()
                courier = None
            if courier is None:
                courier = self._hire(receiver)
            # Also one that was left alone: a reload may follow on what was put right elsewhere.
            self._outbox.forgive(receiver.name, self._clock())
            self._couriers[receiver.name] = courier
        for courier in before.values():
            courier.stop()
        self._outbox.pace(
            {r.name: r.channel.pace_key for r in receivers if isinstance(r.channel, SlackOptions)},
            interval_s=SLACK_INTERVAL_S,
            burst=SLACK_BURST,
        )
        self._metrics.show(set(self._couriers))

    def load(
        self,
        pending: Iterable[Pending],
        troubles: Mapping[str, Trouble],
    ) -> None:
        """Start over from the rows; what is in flight stays so."""
        self._troubles = dict(troubles)
        for receiver, trouble in troubles.items():
            if trouble.until:
                self._outbox.hold(receiver, trouble.until)
        self._outbox.clear()
        for each in pending:
            self._outbox.add(
                each.receiver, each.alert, due=each.due, queued=each.queued, story=each.story
            )
            if each.reason == "rate_limited":
                self._outbox.hold(each.receiver, each.due)

    def add(
        self, receiver: str, alert: str, *, story: str, queued: datetime, due: datetime
    ) -> None:
        """A new row."""
        self._outbox.add(receiver, alert, due=due, queued=queued, story=story)

    def well(self, receiver: str) -> bool:
        """Whether it took what it was last sent, as far as is known."""
        return receiver in self._couriers and self._outbox.well(receiver)

    @property
    def busy(self) -> bool:
        """Whether something is in flight, or came back and is not recorded."""
        return bool(self._returned or self._outbox.in_flight())

    def wait_s(self, limit_s: float) -> float:
        """Seconds until there is something to send, `limit_s` at most."""
        return self._outbox.wait_s(self._clock(), time.monotonic(), limit_s)

    def step(self) -> None:
        """Record what came back, then send the next of each receiver. Whatever it raises, it
        may be called again: nothing is sent twice or forgotten for that."""
        # 1. What came of the messages sent: recorded before anything else is sent.
        self.record()
        # 2. What there is no use in sending, or in waiting for.
        self._unstick()
        self._give_up()
        # 3. The next of each receiver.
        self._dispatch()
        self._metrics.set_pending(self._outbox.pending(), self._outbox.oldest())

    def stop(self) -> None:
        """Send nothing more. Does not wait. Tells what is sent again after the restart, or by
        the next instance: `send_unrecorded` was answered, of `send_abandoned` nothing is known."""
        for courier in self._couriers.values():
            courier.stop()
        self.collect()
        answered = {outcome.alert for outcome in self._returned}
        for receiver, alert in self._outbox.in_flight().items():
            event = "send_unrecorded" if alert in answered else "send_abandoned"
            log.warning(event, receiver=receiver, alert=alert)

    def collect(self, timeout_s: float = 0.0) -> None:
        """Take what couriers brought back, waiting for the first."""
        try:
            if timeout_s:
                self._take_back(self._outcomes.get(timeout=timeout_s))
            while True:
                self._take_back(self._outcomes.get_nowait())
        except queue.Empty:
            pass

    def _take_back(self, outcome: Outcome) -> None:
        # The failure of a courier given up has been counted, and another is on its way.
        if not (outcome.by.given_up and isinstance(outcome.result, SendError)):
            self._returned.append(outcome)

    def record(self) -> None:
        self.collect()
        if not self._returned:
            return
        tx = Transaction()
        concluded: list[tuple[Outcome, Conclusion | None]] = []
        for outcome in self._returned:
            delivery = self._rows.pending(outcome.alert)
            conclusion = None
            if delivery is not None:  # else another instance has recorded it meanwhile
                conclusion = conclude(delivery, outcome.result, outcome.at)
                if delivery.edits and delivery.queued != outcome.queued:
                    # A later edit took the row while this one was on its way.
                    conclusion = Conclusion(delivery, "retried", due=outcome.at, well=True)
                self._rows.write(tx, conclusion.delivery, conclusion.due, outcome.at)
            concluded.append((outcome, conclusion))
        troubles = self._judge(tx, concluded)
        self._rows.commit(tx)
        self._returned.clear()
        for receiver, trouble in troubles.items():
            if trouble.until and trouble != self._troubles.get(receiver):
                self._outbox.hold(receiver, trouble.until)
        self._troubles = troubles
        for outcome, conclusion in concluded:
            self._recorded(outcome, conclusion)

    def _judge(
        self, tx: Transaction, concluded: Sequence[tuple[Outcome, Conclusion | None]]
    ) -> dict[str, Trouble]:
        """Which receivers are in trouble after these answers; of one more, and of one that is
        well again, operators are told through `tx`."""
        now = dict(self._troubles)
        for outcome, conclusion in concluded:
            receiver, at = outcome.receiver, outcome.at
            if conclusion is None or receiver not in self._couriers:
                continue
            before = now.pop(receiver, None)
            trouble = after(before, conclusion, at)
            about = f"receiver/{receiver}"
            if trouble is None:
                if before is not None and before.told:
                    text = f"receiver {receiver} takes messages again"
                    notice(tx, about, text, since=before.since, over=True)
                continue
            other = self._other({*now, receiver}) if to_tell(trouble, at) else None
            if other is not None:
                minutes = max(round((at - trouble.since) / timedelta(minutes=1)), 1)
                text = f"receiver {receiver} " + (
                    "refuses" if trouble.until else f"has taken nothing for {minutes} min"
                )
                text += f": {conclusion.delivery.error}"
                notice(tx, about, text, since=trouble.since, receiver=other)
                trouble = replace(trouble, told=True)
            if trouble != before and (trouble.until or trouble.told):
                log.error("receiver_in_trouble", receiver=receiver, **asdict(trouble))
            now[receiver] = trouble
        return now

    def _other(self, troubled: Set[str]) -> str | None:
        """Who can be told of trouble: the operators, else any that is well."""
        people = [name for name in self._couriers if name != CANARY]
        names = [self._operators, *people] if self._operators else people
        return next((name for name in names if name not in troubled and self.well(name)), None)

    def _recorded(self, outcome: Outcome, conclusion: Conclusion | None) -> None:
        receiver, alert = outcome.receiver, outcome.alert
        if conclusion is None:
            self._outbox.settle(receiver, alert)
            return
        if conclusion.due is None:
            self._outbox.settle(receiver, alert, sent=conclusion.well)
        else:
            self._outbox.postpone(
                receiver,
                alert,
                now=outcome.at,
                due=conclusion.due,
                asked=conclusion.asked,
                well=conclusion.well,
            )
        self._tell(receiver, conclusion.outcome, conclusion.delivery)
        self._metrics.alerts.labels(receiver, "refused").inc(conclusion.refused)
        told = conclusion.delivery.alert
        if conclusion.outcome == "sent" and told.article_id and told.source != CANARY:
            taken = (outcome.at - told.seen).total_seconds()
            self._metrics.seen_to_sent.observe(max(taken, 0.0))

    def _hire(self, receiver: Receiver) -> Courier:
        channel = channel_for(receiver, self._out)
        return Courier(receiver, channel, self._outcomes, clock=self._clock)

    def _unstick(self) -> None:
        """Let a fresh courier go on where one is held by a server that answers by the byte.
        Should the old one get through after all, its message counts as sent."""
        for receiver, alert in self._outbox.in_flight().items():
            courier = self._couriers.get(receiver)
            if courier is None or time.monotonic() - courier.sent_at < STUCK_S:
                continue
            courier.given_up = True
            courier.stop()
            self._couriers[receiver] = self._hire(courier.receiver)
            error = SendError(f"no answer in {STUCK_S:g} s", reason="timeout", retryable=True)
            self._returned.append(Outcome(receiver, alert, error, self._clock(), courier, None))

    def _give_up(self) -> None:
        """Record what has waited too long, or for a receiver that is not there any more."""
        now = self._clock()
        hopeless = self._outbox.hopeless(now, self._couriers.keys(), self._expiry_s, HOPELESS_BATCH)
        if not hopeless:
            return
        tx = Transaction()
        concluded: list[tuple[str, Delivery, datetime | None]] = []
        for receiver, alert in hopeless:
            delivery = self._rows.pending(alert)
            if delivery is None:
                continue
            digest_at: datetime | None = None
            if receiver in self._couriers:
                delivery = msgspec.structs.replace(delivery, status="expired", updated=now)
                if delivery.alert.kind == "digest":
                    self._held.again(delivery, tx, now)
                elif delivery.edits is None:
                    digest_at = self._held.when(receiver, now)
            else:
                delivery = msgspec.structs.replace(
                    delivery,
                    status="dead",
                    reason="unknown_receiver",
                    error=f"no receiver {receiver} is configured any more",
                    updated=now,
                )
            concluded.append((receiver, delivery, digest_at))
            self._rows.write(tx, delivery, digest_at, now)
        self._rows.commit(tx)
        for receiver, alert in hopeless:
            self._outbox.settle(receiver, alert)
        for receiver, delivery, digest_at in concluded:
            if digest_at is not None:
                self._held.add(receiver, delivery.alert.id, digest_at)
            self._tell(receiver, delivery.status, delivery)

    def _dispatch(self) -> None:
        taken = self._outbox.take(self._clock(), time.monotonic(), self._couriers.keys())
        while taken:
            receiver, alert = taken[0]
            try:
                delivery = self._rows.ready(alert)
            except BaseException:
                for each in taken:
                    self._outbox.release(*each)
                raise
            if isinstance(delivery, Later):
                now = self._clock()
                due = now + timedelta(seconds=LATER_S)
                self._outbox.postpone(receiver, alert, now=now, due=due, well=True)
            elif delivery is None:
                self._outbox.settle(receiver, alert)
            else:
                self._couriers[receiver].send(delivery)
            taken.pop(0)

    def _tell(self, receiver: str, outcome: str, delivery: Delivery) -> None:
        if delivery.edits and outcome == "sent":
            outcome = "edited"
        self._metrics.alerts.labels(receiver, outcome).inc()
        fields: dict[str, object] = {
            "receiver": receiver,
            "alert": delivery.alert.id,
            "story": delivery.alert.story_id,
            "attempts": delivery.attempts,
        }
        if delivery.error:
            fields |= {"reason": delivery.reason, "error": delivery.error}
        if delivery.refused:
            fields["refused"] = list(delivery.refused)
        (log.info if outcome in ("sent", "edited") and not delivery.refused else log.warning)(
            f"alert_{outcome}", **fields
        )
