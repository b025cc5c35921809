"""Processes that parse what comes from outside, and can be killed at it.

    run() ── slot ──▶ pebble ── pipe ──▶ process: function → value, or its error
                        └─ past its deadline: SIGKILL, a new process

A page can keep trafilatura busy for minutes inside C code, where no signal and no thread
interrupts it, and can crash it; the parent must survive both and keep its own memory.

- Processes are spawned, import the parsers once, and do not import the parent's script.
- A task's deadline counts from when a process took it up, not while it waits.
- They die with their parent, also at kill -9 (prctl), and mind neither Ctrl-C nor the
  SIGTERM that a service manager sends to the whole group: they go when the pool is closed.
- Each is replaced after `max_tasks` and may not grow past `memory_limit_mb`.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import logging
import multiprocessing.popen_spawn_posix
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import resource_tracker, spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any, Final

import structlog
from pebble import ProcessPool

from collectors.errors import ExtractError
from streams.errors import RasidError

log = structlog.get_logger(__name__)

PARSERS: Final = ("collectors.extract", "collectors.feeds", "trafilatura.core")
_START_S: Final = 60.0  # a process imports the parsers in one or two; on a busy machine in ten


class Pool:
    """`processes` parsers. Not started before the first `run`. Safe to share between the
    coroutines of one event loop."""

    def __init__(
        self,
        processes: int = 2,
        *,
        max_tasks: int = 2_000,
        memory_limit_mb: int = 1_024,
        preload: Sequence[str] = PARSERS,
    ) -> None:
        self._processes = processes
        self._max_tasks = max_tasks
        self._worker_args = (os.getpid(), memory_limit_mb * 2**20, tuple(preload))
        self._opened: _Opened | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._slots: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._waiting: set[Future[Any]] = set()
        self._longest_s = 0.0

    async def run(self, fn: Callable[..., Any], *args: Any, timeout_s: float, **kwargs: Any) -> Any:
        """What `fn(*args, **kwargs)` returns in one of the processes. `fn` must be importable
        there, arguments and value picklable.

        Raises what `fn` raised, if that is a RasidError; else ExtractError: `timeout` when it
        took longer than `timeout_s` (it is killed), `crashed` when its process died, `error`
        when it raised anything else (logged with its traceback). Waiting for a free process is
        not bounded here. Cancelling the caller kills the task.
        """
        self._longest_s = max(self._longest_s, timeout_s)
        async with self._slot():
            for _ in range(2):  # a pool found broken is replaced once
                outcome = await self._attempt(fn, args, kwargs, timeout_s)
                if outcome is not None:
                    return outcome.value()
        raise ExtractError("the pool of parsers broke down twice", reason="crashed", retryable=True)

    def close(self, timeout_s: float = 5.0) -> None:
        """Kill all processes; callers that wait get ExtractError (crashed). Returns within
        `timeout_s`. May be repeated."""
        with self._lock:
            self._closed = True
            opened, self._opened = self._opened, None
        for future in tuple(self._waiting):
            future.cancel()
        if opened is not None:
            opened.close(timeout_s)

    async def _attempt(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout_s: float,
    ) -> "_Outcome | None":
        """None: the pool was broken, and is put away."""
        opened = self._open()
        try:
            future: Future[Any] = opened.pool.schedule(
                _call, args=(fn, args, kwargs), timeout=timeout_s
            )
        except RuntimeError:
            self._put_away(opened)
            return None
        self._waiting.add(future)
        wrapped = asyncio.wrap_future(future)
        try:
            # At most one task stands before this one; longer means that pebble hangs, as it does
            # when a process is killed from outside in the middle of a message.
            await asyncio.wait({wrapped}, timeout=_START_S + 3 * self._longest_s)
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            self._waiting.discard(future)
        return self._outcome(fn, wrapped, opened, timeout_s)

    def _outcome(
        self, fn: Callable[..., Any], done: asyncio.Future[Any], opened: "_Opened", timeout_s: float
    ) -> "_Outcome | None":
        if not done.done():
            log.error("pool_hangs", function=fn.__qualname__)
            self._put_away(opened)
            return None
        if done.cancelled():
            if not self._closed:
                return None
            raise ExtractError("the pool of parsers was closed", reason="crashed", retryable=True)
        error = done.exception()
        if error is None:
            outcome: _Outcome = done.result()
            if outcome.traceback:
                log.error("task_failed", function=fn.__qualname__, traceback=outcome.traceback)
            return outcome
        if isinstance(error, TimeoutError):
            raise ExtractError(f"took longer than {timeout_s:g} s", reason="timeout") from error
        if opened.pool.active:
            raise ExtractError(f"the parser's process died: {error}", reason="crashed") from error
        self._put_away(opened)
        return None

    def _open(self) -> "_Opened":
        with self._lock:
            if self._closed:
                raise ExtractError(
                    "the pool of parsers is closed", reason="crashed", retryable=True
                )
            if self._opened is None:
                self._opened = _Opened(self._processes, self._max_tasks, self._worker_args)
            return self._opened

    def _put_away(self, opened: "_Opened") -> None:
        with self._lock:
            if self._opened is opened:
                self._opened = None
        opened.close(0.5)

    def _slot(self) -> asyncio.Semaphore:
        """One task at work and one ready for each process: no process waits for the loop, and
        what waits here needs no memory in a pipe."""
        loop = asyncio.get_running_loop()
        if self._slots is None or self._slots[0] is not loop:
            self._slots = (loop, asyncio.Semaphore(2 * self._processes))
        return self._slots[1]


def _start_tracker() -> None:
    """Start the process that removes semaphores whose owner was killed, if it does not run.
    It warns of each time it is needed; that a second Ctrl-C ended us is no news."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning"
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


class _Opened:
    """A running pebble pool, with the thread that owns its processes: Linux sends the signal
    of a parent's death when the *thread* that started a process ends."""

    def __init__(self, processes: int, max_tasks: int, worker_args: tuple[Any, ...]) -> None:
        _start_tracker()
        self._context = _Context()
        self.pool = ProcessPool(
            max_workers=processes,
            max_tasks=max_tasks,
            initializer=_start_worker,
            initargs=worker_args,
            context=self._context,
        )
        self._end = threading.Event()
        started = threading.Event()
        self._owner = threading.Thread(
            target=self._own, args=(started,), name="rasid-pool", daemon=True
        )
        self._owner.start()
        started.wait()

    def _own(self, started: threading.Event) -> None:
        try:
            self.pool.schedule(os.getpid)  # starts the processes
        finally:
            started.set()
        self._end.wait()
        self.pool.stop()  # type: ignore[no-untyped-call]
        self.pool.join()

    def close(self, timeout_s: float) -> None:
        self._end.set()
        self._owner.join(timeout_s)
        for process in self._context.started:
            with contextlib.suppress(ValueError, OSError):
                process.kill()


# --- spawning ------------------------------------------------------------------------------


class _Popen(multiprocessing.popen_spawn_posix.Popen):
    """Spawns without importing the parent's main script: the command line and all it imports
    would cost each process its memory, for nothing."""

    _patching = threading.Lock()

    def _launch(self, process_obj: BaseProcess) -> None:
        original = spawn.get_preparation_data

        def without_main(name: str) -> dict[str, Any]:
            data = original(name)
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
            return data

        with self._patching:
            spawn.get_preparation_data = without_main
            try:
                super()._launch(process_obj)  # type: ignore[misc]
            finally:
                spawn.get_preparation_data = original


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> _Popen:  # noqa: N802 (multiprocessing's name)
        return _Popen(process_obj)

    def terminate(self) -> None:
        """At once: inside C code a process hears no SIGTERM."""
        self.kill()


class _Context(SpawnContext):
    def __init__(self) -> None:
        super().__init__()
        self.started: list[_Process] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Process:  # type: ignore[override] # noqa: N802
        self.started = [process for process in self.started if process.is_alive()]
        process = _Process(*args, **kwargs)
        self.started.append(process)
        return process


# --- in the process ------------------------------------------------------------------------

_PR_SET_PDEATHSIG: Final = 1


def _start_worker(parent: int, memory_limit: int, preload: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    logging.getLogger().addHandler(logging.NullHandler())  # parsers complain of every page
    for module in preload:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what was imported stays; collections need not look at it again


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A value, or an error taken apart: what an exception's pickle keeps depends on its class."""

    result: Any = None
    error: tuple[type[RasidError], tuple[Any, ...], dict[str, Any]] | None = None
    traceback: str = ""

    def value(self) -> Any:
        if self.error is None:
            return self.result
        kind, args, state = self.error
        error = kind.__new__(kind, *args)
        error.args = args
        error.__dict__.update(state)
        raise error


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Outcome:
    try:
        return _Outcome(fn(*args, **kwargs))
    except RasidError as error:
        return _Outcome(error=(type(error), error.args, error.__dict__.copy()))
    except Exception as error:
        message = f"{type(error).__name__}: {error}"[:500]
        state = {"reason": "error", "retryable": False, "url": ""}
        return _Outcome(error=(ExtractError, (message,), state), traceback=traceback.format_exc())
