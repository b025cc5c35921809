"""Telling systemd how the daemon is, where it is systemd that started it.

    READY=1 ─▶ WATCHDOG=1 every third of WatchdogSec ─▶ RELOADING=1, READY=1 ─▶ STOPPING=1

The protocol is a datagram to the socket in NOTIFY_SOCKET; sd_notify(3) invites to speak it
without a library.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

# A stage comes round several times a second, seldom later than after a minute (a long
# restore on Kafka); one that has not for so long never will.
STUCK_S = 900.0

Beats = Callable[[], Mapping[str, float]]
"""Stage → when it last came round, by `time.monotonic`."""


class Supervisor:
    """Says nothing where nobody listens. `environment` is os.environ, or a test's."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        usec = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if mine and usec.isdecimal() else None

    def tell(self, *states: str) -> None:
        """Send states such as READY=1. A supervisor that is gone is no error."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # an abstract socket
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
            out.setblocking(False)
            out.sendto("\n".join(states).encode(), address)

    def reloading(self) -> None:
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def watch(self, beats: Beats, stop: threading.Event) -> None:
        """Keep the watchdog content until `stop`, or until a stage is stuck: then systemd
        kills and restarts the process. Call in a thread of its own."""
        if self.watchdog_s is None:
            return
        while not stop.wait(self.watchdog_s / 3):
            if stuck := stuck_stages(beats(), time.monotonic()):
                log.error("stage_stuck", stages=stuck, seconds=STUCK_S)
                return
            self.tell("WATCHDOG=1")


def stuck_stages(beats: Mapping[str, float], now: float) -> list[str]:
    """Those that have not come round for `STUCK_S` seconds."""
    return sorted(stage for stage, at in beats.items() if now - at > STUCK_S)
