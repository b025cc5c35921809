"""Signals: held until the daemon can act on them, and what wakes it."""

import os
import signal
import socket
from contextlib import suppress
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


class Bell:
    """What the main thread waits at. Whoever has something for it rings, from any thread and
    at any moment, in a signal handler too.

    A signal rings by itself, through Python's wakeup fd. The system may hand it to any thread,
    and where it comes with another one does: then no wait in the main thread is interrupted,
    be it of an Event or a queue, and the handler, which runs there only, would wait with it."""

    def __init__(self) -> None:
        self._button, self._clapper = socket.socketpair()
        self._button.setblocking(False)

    def listen(self) -> None:
        """From now on signals ring. Call from the main thread."""
        signal.set_wakeup_fd(self._button.fileno(), warn_on_full_buffer=False)

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it has been rung so often that it is heard anyway
            self._button.send(b"!")

    def wait(self) -> None:
        """Return once it has rung since the last time."""
        self._clapper.recv(4096)
