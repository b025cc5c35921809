"""Every error Rasid raises on purpose.

    RasidError
    ├── ConfigError          what a person wrote is wrong (rasid.config)
    ├── LogError             the log cannot be used as asked
    │   ├── LogUnavailable   locked, disk full, no broker: may pass
    │   │   └── Busy         another backfill is at it (collectors)
    │   ├── LogCorrupt       not a log, or damaged: a person must act
    │   ├── OwnershipLost    another instance works this stage now
    │   └── IdentityTaken    another process goes by this one's name: a person must act
    ├── RecordError          one record cannot be read
    │   ├── Malformed        not what it says it is: a dead letter
    │   └── NewerSchema      written by a newer Rasid: the stage stops, nothing is lost
    ├── CopyRefused          one log cannot be copied into another (streams.copying)
    ├── LetterGone           a dead letter cannot be replayed (streams.letters)
    ├── FetchError           an address did not give what it should (collectors)
    ├── ExtractError         a page did not give an article (collectors)
    ├── RuleError            a rule file is wrong (processors)
    └── SendError            a message was not taken (alerts)

    TooLarge (a ValueError)  a record above what the log's carrier takes

Each carries `reason`, a word from the closed set of its class (a metric label,
a column of a table), and `retryable`: whether the same call may succeed later.
"""

from typing import ClassVar


class RasidError(Exception):
    """Base of all. `reasons` is the closed set that `reason` must come from."""

    reasons: ClassVar[frozenset[str]] = frozenset({"error"})
    reason: str
    retryable: bool

    def __init__(self, message: str, *, reason: str = "error", retryable: bool = False) -> None:
        super().__init__(message)
        if reason not in self.reasons:
            raise ValueError(f"{reason!r} is no reason of {type(self).__name__}")
        self.reason = reason
        self.retryable = retryable


class ConfigError(RasidError):
    """What a person wrote is wrong; the message names file, line and key."""


class LogError(RasidError):
    """The log cannot be used as asked."""


class LogUnavailable(LogError):
    """Locked, full or away; the message says what to do. Work waits and tries again."""

    reasons = frozenset({"locked", "full", "io", "missing", "away", "denied"})

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason, retryable=True)


class TooLarge(ValueError):
    """A record above what the log's carrier takes: its own fault, not the log's."""


class LogCorrupt(LogError):
    """Not a log of Rasid's, of another version, or damaged."""

    reasons = frozenset({"corrupt", "foreign", "version"})

    def __init__(self, message: str, *, reason: str = "corrupt") -> None:
        super().__init__(message, reason=reason)


class OwnershipLost(LogError):
    """Another instance works this stage: drop what is held in memory, acquire again."""


class IdentityTaken(LogError):
    """Two processes go by one name, and one of them must stop."""


class RecordError(RasidError):
    """One record cannot be read."""

    reasons = frozenset({"malformed", "newer_schema"})


class Malformed(RecordError):
    def __init__(self, message: str) -> None:
        super().__init__(message, reason="malformed")


class NewerSchema(RecordError):
    def __init__(self, message: str) -> None:
        super().__init__(message, reason="newer_schema")
