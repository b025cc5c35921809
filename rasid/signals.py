"""Signals that come before the daemon can act on them."""

import os
import signal
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT)


class HeldSignals:
    """Remembers, from its making on, what the daemon will be asked; `App.run` takes it over.

    A second signal to stop ends the process at once, as it does later."""

    def __init__(self) -> None:
        self._came: list[int] = []
        for number in (*STOP, signal.SIGHUP):
            signal.signal(number, self._hold)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if number in STOP and any(earlier in STOP for earlier in self._came):
            os._exit(130)
        self._came.append(number)

    def release(self) -> None:
        """Raise again what came, for the handlers that have taken this one's place."""
        for number in self._came:
            signal.raise_signal(number)
        self._came.clear()
