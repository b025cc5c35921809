"""A process of its own over a log, for tests to kill.

    python streams_child.py URL hang TOPIC N      poll N messages, say so, and wait for ever
    python streams_child.py URL hold STAGE        take the seat, say so, and wait for ever
    python streams_child.py URL relay BATCH       FLAGS → ALERTS and a row each, until all are done
    python streams_child.py URL die-in-commit N   the same; killed within the Nth commit
    python streams_child.py URL die-before-commit N   the same, on Kafka; when all was sent
    python streams_child.py URL write STAGE N     append N records to ALERTS, one a commit
    python streams_child.py URL read TOPIC        print the keys of a topic

On Kafka it is the instance named in RASID_INSTANCE, and dead after RASID_SESSION_S of silence.

It prints a line for each step that is done, so that a test waits for progress, not time.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from streams.carriers import open_log
from streams.kafka_options import kafka_options
from streams.log import Clock, Log, Message, Stage, Transaction
from streams.records import ALERTS, DELIVERIES, FLAGS


def relayed(messages: list[Message]) -> Transaction:
    tx = Transaction()
    for message in messages:
        tx.append(ALERTS, message.key, message.value)
        tx.put(DELIVERIES, message.key, message.value)
    return tx


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - how it speaks to its test


def seated(log: Log, name: str, reads: tuple[str, ...] = ()) -> Stage:
    stage = log.stage(name, reads)
    while not stage.acquire(1.0):
        pass
    return stage


def opened(url: str, clock: Clock) -> Log:
    instance, session_s = os.environ.get("RASID_INSTANCE", ""), os.environ.get("RASID_SESSION_S")
    if session_s is None:
        return open_log(url, clock=clock, instance=instance)
    from streams.kafka import KafkaLog

    return KafkaLog(replace(kafka_options(url, instance), session_s=float(session_s)), clock=clock)


class DeadlyClock:
    """Kills this process when it is asked the time for the last time: within a commit."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self) -> datetime:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return datetime.now(UTC)


def die_before_commit(transactions: int) -> None:
    """Kill this process in the Nth transaction from now, with its records and its position
    sent, and the commit not."""
    from streams.kafka_writer import Writer

    wait, left = Writer._wait, 2 * transactions - 1  # it waits for the position, then the commit

    def deadly(self: Writer, result: object, deadline: float) -> None:
        nonlocal left
        wait(self, result, deadline)
        left -= 1
        if left == 0:
            self._producer.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    Writer._wait = deadly  # type: ignore[method-assign]


def main(url: str, role: str, *arguments: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    deadly = role == "die-in-commit"
    clock = DeadlyClock(int(arguments[0])) if deadly else lambda: datetime.now(UTC)
    log = opened(url, clock)
    if role == "hang":
        stage = seated(log, "alert", (arguments[0],))
        got = 0
        while got < int(arguments[1]):
            got += len(stage.poll(int(arguments[1]) - got, 1.0))
        say(f"polled {got}")
        sys.stdin.read()
    elif role == "hold":
        seated(log, arguments[0])
        say("holding")
        sys.stdin.read()
    elif role in ("relay", "die-in-commit", "die-before-commit"):
        stage = seated(log, "alert", (FLAGS,))
        say("working")
        batch = int(arguments[0])
        if role == "die-before-commit":
            die_before_commit(int(arguments[0]))
        if role != "relay":
            batch = 5
        while messages := list(stage.poll(batch, 1.0)):
            stage.commit(relayed(messages), messages)
            say(f"committed {messages[-1].key}")
    elif role == "write":
        stage = seated(log, arguments[0])
        for number in range(int(arguments[1])):
            tx = Transaction()
            tx.append(ALERTS, f"{arguments[0]}-{number}", b"{}")
            stage.commit(tx)
        stage.close()
        say("written")
    elif role == "read":
        for message in log.read(arguments[0]):
            say(message.key)


if __name__ == "__main__":
    main(*sys.argv[1:])
