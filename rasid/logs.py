"""Structured logs: readable on a terminal, one JSON object a line elsewhere.

What the libraries say through `logging` takes the same way. Secrets of the
configuration are blotted out of every event, whoever wrote it.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = ("debug", "info", "warning", "error")


class Redaction:
    """A processor that replaces secrets by `***` in all strings of an event.

    `secrets` is swapped when the configuration is reloaded; the earlier ones stay known."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def know(self, secrets: Iterable[str]) -> None:
        known = {*self._secrets, *(s for s in secrets if len(s) >= 4)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def blot(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "***")
            return value
        if isinstance(value, dict):
            return {k: self.blot(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.blot(v) for v in value]
        return value if isinstance(value, (int, float, bool, type(None))) else self.blot(str(value))

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        return {k: v if k.startswith("_") else self.blot(v) for k, v in event.items()}


redaction = Redaction()


class Once(logging.Filter):
    """Lets what Kafka's client library says through once in `every_s` seconds, whatever the
    addresses in it: while a broker is away it repeats itself at each try to reconnect."""

    def __init__(self, every_s: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != "kafka":
            return True
        now = self._clock()
        key = record.name, str(record.msg)  # the words without what is put into them
        if now - self._told.get(key, -self._every_s) < self._every_s:
            return False
        self._told[key] = now
        return True


class JournalFormatter(structlog.stdlib.ProcessorFormatter):
    """Puts the level before each line as sd-daemon(3) has it; the journal takes it off again,
    and `journalctl --priority` knows it."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for least, p in _PRIORITIES if record.levelno >= least), 7)
        return f"<{priority}>{super().format(record)}"


_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)


def _is_journal() -> bool:
    """Whether systemd's journal reads standard error."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # no file, or closed
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def set_up(level: str = "info", *, terminal: bool | None = None) -> None:
    """Send all logs to standard error; `terminal` (found out unless given) chooses the form."""
    if terminal is None:
        terminal = sys.stderr.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=True)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = JournalFormatter if _is_journal() else structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redaction,
                last,
            ],
        )
    )
    handler.addFilter(Once())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These say at INFO what Rasid says itself, in its own words.
    for name in ("aiohttp.access", "slack_sdk", "trafilatura", "htmldate", "mail.log", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    # Warns of each step of its own that took 0.1 s, as any does on a busy machine.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
