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
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import structlog

from streams.errors import LogError, LogUnavailable, OwnershipLost
from streams.log import Row, Stage, Transaction

log = structlog.get_logger(__name__)

T = TypeVar("T")
MOST: Final = 500  # decisions in one commit
_LONGEST_BACKOFF_S = 5.0
_TEND_S: Final = 1.0  # without work, the log hears of us so often


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
    future: "asyncio.Future[T]"


@dataclass(slots=True)
class _Batch:
    decisions: list[_Decision[Any]]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class _Call:
    call: Callable[[Stage], Any]
    future: "Future[Any]"


class Ledger:
    """Owns the stage and its thread from construction to `close`. Used from one event loop,
    which gathers, so that the thread wakes once a batch: to wake for each decision would take
    the interpreter from the loop each time."""

    def __init__(self, stage: Stage, *, gather_s: float = 0.02) -> None:
        self._stage = stage
        self._gather_s = gather_s
        self._gathered: _Batch | None = None
        self._queue: queue.SimpleQueue[_Batch | _Call | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self.available = True
        self.lost: OwnershipLost | None = None  # noticed between decisions; `acquire` forgets it
        self._thread = threading.Thread(target=self._work, name="collect-log", daemon=True)
        self._thread.start()

    async def decide(self, decision: Callable[[View], T]) -> T:
        """Run a decision on the log's thread; its writes are durable on return.

        What it raises is raised here, and nothing of it is written. Raises OwnershipLost,
        and LogUnavailable once `hurry` was called. The decision may run more than once, so
        it must change nothing but the view."""
        loop = asyncio.get_running_loop()
        if self._gathered is None:
            self._gathered = _Batch([], loop)
            loop.call_later(self._gather_s, self._flush, self._gathered)
        future: asyncio.Future[T] = loop.create_future()
        self._gathered.decisions.append(_Decision(decision, future))
        if len(self._gathered.decisions) >= MOST:
            self._flush(self._gathered)
        return await future

    async def acquire(self, timeout_s: float) -> bool:
        """Take the seat, as `Stage.acquire` does."""

        def acquire(stage: Stage) -> bool:
            self.lost = None
            return stage.acquire(timeout_s)

        return await self.call(acquire)

    async def call(self, call: Callable[[Stage], T]) -> T:
        """Run a call on the stage, after what was decided before. Raises what it raises."""
        self._flush(self._gathered)
        return await asyncio.wrap_future(self._submit(call))

    def hurry(self) -> None:
        """From now on do not wait for a log that is unavailable: fail what waits."""
        self._hurry.set()

    def close(self) -> None:
        """Commit what was handed in, give the seat up, end the thread. May be repeated."""
        self.hurry()
        if self._thread.is_alive():
            self._flush(self._gathered)
            self._submit(lambda stage: stage.close())
            self._queue.put(None)
            self._thread.join()

    def _flush(self, batch: _Batch | None) -> None:
        if batch is not None and batch is self._gathered:
            self._gathered = None
            self._queue.put(batch)

    def _submit(self, call: Callable[[Stage], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._queue.put(_Call(call, future))
        return future

    # --- on the log's thread -------------------------------------------------------------

    def _work(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, _Batch):
                outcomes = self._settle(item.decisions)
                if not item.loop.is_closed():
                    item.loop.call_soon_threadsafe(_tell, item.decisions, outcomes)
            else:
                self._answer(item)

    def _next(self) -> _Batch | _Call | None:
        while True:
            try:
                return self._queue.get(timeout=_TEND_S)
            except queue.Empty:
                self._tend()

    def _tend(self) -> None:
        """Show the log that this instance lives, and hear whether the seat is still its own."""
        try:
            self._stage.poll(1, 0.0)
        except OwnershipLost as error:
            self.lost = error
        except LogError:
            return  # the next decision meets it, and waits

    def _settle(self, batch: list[_Decision[Any]]) -> list[Any]:
        """Decide and commit; on a log that is unavailable, again, until it is back."""
        backoff_s = 0.1
        while True:
            try:
                return self._decide(batch)
            except LogUnavailable as error:
                if self.available:
                    log.warning("log_unavailable", reason=error.reason, error=str(error))
                self.available = False
                if self._hurry.is_set():
                    return [error] * len(batch)
                self._hurry.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)
            except Exception as error:
                return [error] * len(batch)

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


def _tell(decisions: list[_Decision[Any]], outcomes: list[Any]) -> None:
    for decision, outcome in zip(decisions, outcomes, strict=True):
        if decision.future.done():
            continue  # cancelled: nobody waits any more
        if isinstance(outcome, _Result):
            decision.future.set_result(outcome.value)
        else:
            decision.future.set_exception(outcome)
