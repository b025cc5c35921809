"""The text of /metrics, put together apart from whoever asks for it.

    thread, every 3 s ─▶ registry → text        an answer takes the text that is there

Putting it together is some milliseconds of Python; beside stages at work, which share one
interpreter, they become fifty and more. Prometheus asks every few seconds and minds no text three
seconds old; its age is in it. Where nobody has asked for a while, nothing is put together, and
the first to ask waits for a text made for them.
"""

import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

EVERY_S = 3.0
FRESH_S = 10.0  # an older text, of a thread that is late, is not handed out
ASKED_S = 150.0  # two scrapes a minute apart, and one that is missed


class Exposition:
    """Of one registry. `clock` is monotonic, in seconds."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._rendered = Gauge(
            "rasid_metrics_rendered_timestamp_seconds",
            "When what is read here was put together; seconds ago at most.",
            registry=registry,
        )
        self._one_at_a_time = threading.Lock()
        self._text: tuple[float, bytes] | None = None
        self._asked: float | None = None

    def at_hand(self) -> bytes | None:
        """The text, if there is a fresh one. Never blocks."""
        self._asked = self._clock()
        if self._text is None or self._asked - self._text[0] > FRESH_S:
            return None
        return self._text[1]

    def render(self) -> bytes:
        """A text made now, or while this waited for another that made one."""
        began = self._clock()
        with self._one_at_a_time:
            if self._text is None or self._text[0] < began:
                at = self._clock()
                self._rendered.set_to_current_time()
                self._text = (at, generate_latest(self._registry))
            return self._text[1]

    def keep(self, stop: threading.Event) -> None:
        """Until `stop`, have a text at hand as long as somebody asks. Call in a thread of its
        own."""
        while not stop.wait(EVERY_S):
            if self._asked is not None and self._clock() - self._asked < ASKED_S:
                self.render()
