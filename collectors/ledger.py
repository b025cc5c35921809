"""The collector's seat at the log, driven from an event loop.

A stage belongs to one thread and its calls block; the event loop must not. So the ledger
keeps a thread of its own. What the loop hands it are decisions: functions that read rows,
decide, and write into a transaction. They run one after the other, each seeing what the
earlier ones wrote, and are committed together, some tens of milliseconds' worth at a time:
one fsync for many outcomes, and no decision on a stale row.

    await ledger.decide(decision) ─▶ queue ─▶ gather ─▶ decide, one by one ─▶ commit
            ▲                                                                   │
            └──────────────────── results, durable ─────────────────────────────┘

While the log is unavailable decisions wait here; nothing of them has been written, and
they are made again on the rows as they then are.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import structlog

from streams.errors import LogUnavailable
from streams.log import Row, Stage, Transaction

log = structlog.get_logger(__name__)

T = TypeVar("T")
MOST: Final = 500  # decisions in one commit
_LONGEST_BACKOFF_S = 5.0


class View:
    """Rows as the decisions before this one leave them, and the place to write to."""

    def __init__(self, stage: Stage, earlier: Transaction) -> None:
        self._stage = stage
        self._earlier = earlier
        self.tx = Transaction()

    def get(self, table: str, key: str) -> Row | None:
        for tx in (self.tx, self._earlier):
            if (table, key) in tx.rows:
                return tx.rows[table, key]
        return self._stage.get(table, key)


@dataclass(slots=True)
class _Decision(Generic[T]):
    decide: Callable[[View], T]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[T]"


@dataclass(slots=True)
class _Call:
    call: Callable[[Stage], Any]
    future: "Future[Any]"


class Ledger:
    """Owns the stage and its thread from construction to `close`."""

    def __init__(self, stage: Stage, *, gather_s: float = 0.02) -> None:
        self._stage = stage
        self._gather_s = gather_s
        self._queue: queue.SimpleQueue[_Decision[Any] | _Call | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self.available = True
        self._thread = threading.Thread(target=self._work, name="collect-log", daemon=True)
        self._thread.start()

    async def decide(self, decision: Callable[[View], T]) -> T:
        """Run a decision on the log's thread; its writes are durable on return.

        What it raises is raised here, and nothing of it is written. Raises OwnershipLost,
        and LogUnavailable once `hurry` was called. The decision may run more than once, so
        it must change nothing but the view."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Decision(decision, loop, future))
        return await future

    async def call(self, call: Callable[[Stage], T]) -> T:
        """Run a call on the stage, between two commits. Raises what it raises."""
        return await asyncio.wrap_future(self._submit(call))

    def hurry(self) -> None:
        """From now on do not wait for a log that is unavailable: fail what waits."""
        self._hurry.set()

    def close(self) -> None:
        """Commit what was handed in, give the seat up, end the thread. May be repeated."""
        self.hurry()
        if self._thread.is_alive():
            self._submit(lambda stage: stage.close())
            self._queue.put(None)
            self._thread.join()

    def _submit(self, call: Callable[[Stage], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._queue.put(_Call(call, future))
        return future

    # --- on the log's thread -------------------------------------------------------------

    def _work(self) -> None:
        while True:
            items = self._gather()
            decisions: list[_Decision[Any]] = []
            for item in items:
                if isinstance(item, _Decision) and len(decisions) < MOST:
                    decisions.append(item)
                    continue
                self._settle(decisions)  # a call sees what was decided before it
                decisions = []
                if item is None:
                    return
                if isinstance(item, _Call):
                    self._answer(item)
                else:
                    decisions.append(item)
            self._settle(decisions)

    def _gather(self) -> "list[_Decision[Any] | _Call | None]":
        """What arrives within the time of gathering. It sleeps meanwhile: to wake for each
        item would take the interpreter from the event loop each time."""
        items = [self._queue.get()]
        if isinstance(items[0], _Decision):
            time.sleep(self._gather_s)
        with contextlib.suppress(queue.Empty):
            while True:
                items.append(self._queue.get_nowait())
        return items

    def _settle(self, batch: list[_Decision[Any]]) -> None:
        """Decide and commit; on a log that is unavailable, again, until it is back."""
        if not batch:
            return
        backoff_s = 0.1
        while True:
            try:
                outcomes = self._decide(batch)
                break
            except LogUnavailable as error:
                if self.available:
                    log.warning("log_unavailable", reason=error.reason, error=str(error))
                self.available = False
                if self._hurry.is_set():
                    outcomes = [error] * len(batch)
                    break
                self._hurry.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)
            except Exception as error:
                outcomes = [error] * len(batch)
                break
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Decision[Any], Any]]] = {}
        for decision, outcome in zip(batch, outcomes, strict=True):
            by_loop.setdefault(decision.loop, []).append((decision, outcome))
        for loop, settled in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, settled)

    def _decide(self, batch: list[_Decision[Any]]) -> list[Any]:
        tx = Transaction()
        outcomes: list[Any] = []
        for decision in batch:
            view = View(self._stage, tx)
            try:
                outcomes.append(_Result(decision.decide(view)))
            except LogUnavailable:
                raise
            except Exception as error:
                outcomes.append(error)
            else:
                tx.absorb(view.tx)
        if tx:
            self._stage.commit(tx)
        if not self.available:
            log.info("log_available")
            self.available = True
        return outcomes

    def _answer(self, call: _Call) -> None:
        try:
            result = call.call(self._stage)
        except BaseException as error:
            call.future.set_exception(error)
        else:
            call.future.set_result(result)


@dataclass(slots=True)
class _Result:
    value: Any


def _tell(settled: list[tuple[_Decision[Any], Any]]) -> None:
    for decision, outcome in settled:
        if decision.future.done():
            continue
        if isinstance(outcome, _Result):
            decision.future.set_result(outcome.value)
        else:
            decision.future.set_exception(outcome)
