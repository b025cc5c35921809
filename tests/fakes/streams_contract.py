"""What the contract suite's files, and those of several instances, say over and over."""

import time
from collections.abc import Callable, Iterable, Sequence

from streams.log import Log, Message, Stage, TopicInfo, Transaction

LONG_S = 30.0  # ends at once when there is something; a bound for when there never is
Opener = Callable[..., Log]  # of the fixture `open_as`


def seated(log: Log, name: str, reads: Sequence[str] = ()) -> Stage:
    stage = log.stage(name, reads)
    assert stage.acquire(LONG_S)
    return stage


def append(stage: Stage, topic: str, keys: Iterable[str]) -> None:
    tx = Transaction()
    for key in keys:
        tx.append(topic, key, f"value of {key}".encode())
    stage.commit(tx)


def polled(stage: Stage, count: int) -> list[Message]:
    """Exactly `count` messages, or what there was when nothing more came."""
    messages: list[Message] = []
    while len(messages) < count:
        more = stage.poll(count - len(messages), LONG_S)
        if not more:
            break
        messages += more
    return messages


def keys(messages: Iterable[Message]) -> list[str]:
    return [message.key for message in messages]


def info(log: Log, name: str) -> TopicInfo:
    return next(topic for topic in log.topics() if topic.name == name)


def wait_until(holds: Callable[[], bool], limit_s: float = LONG_S) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
