"""The threads that send: one a receiver, so that a slow one delays no other.

A courier knows nothing of the log. It takes a message, blocks on the network, and puts what
came of it into the queue that the stage's thread reads.
"""

import queue
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from alerts.channel import Channel, Receipt
from alerts.errors import SendError
from alerts.receivers import Receiver, redact
from streams.log import Clock
from streams.records import Delivery

log = structlog.get_logger(__name__)

IDLE_S: Final = 5.0  # after which a channel lets go of its connection


@dataclass(frozen=True, slots=True)
class Outcome:
    receiver: str
    alert: str
    result: Receipt | SendError
    at: datetime
    by: "Courier"
    queued: datetime | None  # of the row that was sent


class Courier:
    """`send` returns at once. The thread is a daemon: a server that never answers cannot keep
    the process from ending."""

    def __init__(
        self,
        receiver: Receiver,
        channel: Channel,
        outcomes: "queue.SimpleQueue[Outcome]",
        *,
        clock: Clock,
    ) -> None:
        self.receiver = receiver
        self.sent_at = 0.0  # time.monotonic of the last `send`
        self.given_up = False  # its server answers too slowly to be waited for
        self._channel = channel
        self._outcomes = outcomes
        self._clock = clock
        self._jobs: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name=f"alert-{receiver.name}", daemon=True
        )
        self._thread.start()

    def send(self, delivery: Delivery) -> None:
        self.sent_at = time.monotonic()
        self._jobs.put(delivery)

    def stop(self) -> None:
        """End after what was given; does not wait."""
        self._jobs.put(None)

    def join(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        idle = True
        while True:
            try:
                delivery = self._jobs.get(timeout=None if idle else IDLE_S)
            except queue.Empty:
                self._let_go()
                idle = True
                continue
            if delivery is None:
                self._let_go()
                return
            idle = False
            result = self._send(delivery)
            name, alert = self.receiver.name, delivery.alert.id
            self._outcomes.put(Outcome(name, alert, result, self._clock(), self, delivery.queued))

    def _send(self, delivery: Delivery) -> Receipt | SendError:
        try:
            return self._channel.send(delivery)
        except SendError as error:
            return error
        except Exception as error:
            # A defect. What it says may hold an address with a secret in it.
            log.error(
                "channel_failed",
                receiver=self.receiver.name,
                alert=delivery.alert.id,
                traceback=redact(traceback.format_exc(), self.receiver.secrets),
            )
            return SendError(f"a defect in Rasid: {type(error).__name__}", reason="internal")

    def _let_go(self) -> None:
        try:
            self._channel.idle()
        except Exception as error:
            log.warning(
                "channel_not_closed", receiver=self.receiver.name, error=type(error).__name__
            )
