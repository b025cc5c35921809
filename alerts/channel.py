"""What a channel is: something that takes a message to one receiver."""

from dataclasses import dataclass
from typing import Protocol

from streams.records import Delivery


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message that was taken, at least by some.

    For a channel with several recipients: `done` have it now, `refused` never will, and
    `waiting` may later. `error` says why, of those that do not have it."""

    reference: str | None = None
    link: str | None = None  # where it can be looked at
    done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    error: str | None = None


class Channel(Protocol):
    def send(self, delivery: Delivery) -> Receipt:
        """Take the message to all who neither have it (`delivery.done`) nor refused it.

        Blocks, for half a minute at most. Called from one thread, one message at a time.
        Raises SendError when nobody took it."""

    def idle(self) -> None:
        """Nothing was sent for some seconds: let go of what costs the other side."""
