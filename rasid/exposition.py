"""The text of /metrics, put together shortly before somebody asks for it.

    asked, asked again ─▶ when next ─▶ a thread makes the text ─▶ the answer takes it as it is

Putting it together is some milliseconds of Python; beside stages at work, which share one
interpreter, they become fifty and more, and whoever asks would wait for them. Prometheus asks at
a steady pace, so the text can be ready: a second or two old, with its age in it. Who asks out of
turn gets what is there, if it is fresh, or waits for a text of his own.
"""

import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

AHEAD_S = 1.5  # of when the next question is awaited
EVERY_S = 3.0  # at most so often, however often somebody asks
FRESH_S = 15.0  # an older text is not handed out
PACE_S = 150.0  # who asks less often is not awaited
_LOOK_S = 0.5


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
        self._due: float | None = None

    def at_hand(self) -> bytes | None:
        """The text, if there is a fresh one; and another is made for the next time. Never
        blocks."""
        now = self._clock()
        if self._asked is not None and now - self._asked <= PACE_S:
            self._due = now + (now - self._asked) - AHEAD_S
        self._asked = now
        if self._text is None or now - self._text[0] > FRESH_S:
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
        """Until `stop`, make the texts that will be asked for. Call in a thread of its own."""
        while not stop.wait(_LOOK_S):
            now = self._clock()
            if self._due is None or now < self._due:
                continue
            if self._text is None or now - self._text[0] >= EVERY_S:
                self._due = None
                self.render()
