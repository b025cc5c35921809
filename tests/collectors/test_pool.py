"""Parsers that hang, crash, raise or are killed from outside, and a pool that goes on."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from operator import truediv
from pathlib import Path

import pytest

from collectors.errors import ExtractError, FetchError
from collectors.extract import extract_page
from collectors.feeds import parse_feed
from collectors.pool import Pool
from tests.fakes import parse_tasks

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared() -> Iterator[Pool]:
    """Two processes, for the tests that leave the pool as they found it."""
    pool = Pool(2, preload=())
    yield pool
    pool.close()


@pytest.fixture
def own() -> Iterator[Callable[..., Pool]]:
    pools: list[Pool] = []

    def make(processes: int = 1, **options: object) -> Pool:
        pools.append(Pool(processes, preload=(), **options))  # type: ignore[arg-type]
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def reason_of(pool: Pool, fn: Callable[..., object], *args: object, timeout_s: float) -> str:
    with pytest.raises(ExtractError) as raised:
        asyncio.run(pool.run(fn, *args, timeout_s=timeout_s))
    return raised.value.reason


def pid_of(pool: Pool) -> int:
    pid: int = asyncio.run(pool.run(os.getpid, timeout_s=10))
    return pid


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_it_runs_elsewhere_and_answers(shared: Pool) -> None:
    assert pid_of(shared) != os.getpid()
    assert asyncio.run(shared.run(truediv, 6, 3, timeout_s=10)) == 2.0


@pytest.fixture(scope="module")
def parser() -> Iterator[Pool]:
    """One process that has its parsers, so that a deadline measures the page."""
    pool = Pool(1)
    asyncio.run(pool.run(os.getpid, timeout_s=60))
    yield pool
    pool.close()


async def extract(pool: Pool, inner: str, timeout_s: float) -> str:
    body = f"<html><body><article>{inner}</article></body></html>".encode()
    page = await pool.run(
        extract_page, body, url="u", content_type="text/html", now=NOW, timeout_s=timeout_s
    )
    text: str = page.text
    return text


SOUND = "<p>" + "أعادت البلدية فتح الطريق الساحلي أمام السير. " * 5 + "</p>"


def test_a_page_of_100_000_inline_tags_is_killed_and_the_pool_goes_on(parser: Pool) -> None:
    began = time.monotonic()
    with pytest.raises(ExtractError) as raised:
        asyncio.run(extract(parser, "<p>" + "<b>نص</b> " * 100_000, timeout_s=2))
    assert raised.value.reason == "timeout"
    assert time.monotonic() - began < 6
    assert "الطريق" in asyncio.run(extract(parser, SOUND, timeout_s=10))


def test_a_page_of_100_000_nested_tags_costs_no_other(parser: Pool) -> None:
    with suppress(ExtractError):
        asyncio.run(extract(parser, "<b>" * 100_000 + "نص" + "</b>" * 100_000, timeout_s=5))
    assert "الطريق" in asyncio.run(extract(parser, SOUND, timeout_s=10))


def test_waiting_for_a_free_process_does_not_count(own: Callable[..., Pool]) -> None:
    pool = own(1)

    async def run() -> list[None]:
        tasks = (pool.run(time.sleep, 0.3, timeout_s=0.6) for _ in range(6))
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(run()) == [None] * 6


def test_a_process_that_crashes_costs_its_task_only(shared: Pool) -> None:
    async def run() -> list[object]:
        return await asyncio.gather(
            shared.run(os.abort, timeout_s=10),
            shared.run(time.sleep, 0.3, timeout_s=10),
            return_exceptions=True,
        )

    crashed, slept = asyncio.run(run())
    assert isinstance(crashed, ExtractError)
    assert crashed.reason == "crashed"
    assert slept is None
    assert pid_of(shared)


def test_a_process_that_leaves_quietly_is_noticed_at_the_deadline(own: Callable[..., Pool]) -> None:
    pool = own(1)
    assert reason_of(pool, os._exit, 0, timeout_s=0.5) == "timeout"
    assert pid_of(pool)


def test_processes_killed_while_idle_are_replaced(own: Callable[..., Pool]) -> None:
    pool = own(2)
    first = pid_of(pool)
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    for _ in range(3):
        assert pid_of(pool) != first


def test_errors_of_ours_come_back_whole(shared: Pool) -> None:
    with pytest.raises(FetchError) as raised:
        asyncio.run(
            shared.run(parse_feed, b"", url="https://e/", content_type="", now=NOW, timeout_s=10)
        )
    error = raised.value
    assert (error.reason, error.retryable, error.url) == ("empty", True, "https://e/")
    assert str(error) == "https://e/: the answer has no content"


def test_other_errors_are_named_and_cost_only_their_task(shared: Pool) -> None:
    with pytest.raises(ExtractError, match="ZeroDivisionError") as raised:
        asyncio.run(shared.run(truediv, 1, 0, timeout_s=10))
    assert raised.value.reason == "error"
    assert reason_of(shared, parse_tasks.raise_unpicklable, timeout_s=10) == "error"
    assert pid_of(shared)


def test_an_answer_that_cannot_travel_is_an_error(shared: Pool) -> None:
    with pytest.raises(ExtractError):
        asyncio.run(shared.run(parse_tasks.return_unpicklable, timeout_s=10))
    assert pid_of(shared)


def test_a_process_may_not_eat_the_machine(own: Callable[..., Pool]) -> None:
    pool = own(1, memory_limit_mb=200)
    assert reason_of(pool, bytearray, 400 * 2**20, timeout_s=10) == "error"
    assert pid_of(pool)


def test_a_process_is_replaced_after_its_share_of_tasks(own: Callable[..., Pool]) -> None:
    pool = own(1, max_tasks=3)

    async def run() -> list[int]:
        return [await pool.run(os.getpid, timeout_s=10) for _ in range(9)]

    pids = asyncio.run(run())
    assert max(pids.count(pid) for pid in pids) <= 3


def test_ctrl_c_and_a_service_managers_sigterm_leave_the_processes_alone(shared: Pool) -> None:
    pid = pid_of(shared)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)

    async def run() -> set[int]:
        return {await shared.run(os.getpid, timeout_s=10) for _ in range(20)}

    assert alive(pid)
    assert asyncio.run(run())
    assert alive(pid)


def test_cancelling_the_caller_kills_the_task(own: Callable[..., Pool]) -> None:
    pool = own(1)
    pid = pid_of(pool)

    async def run() -> None:
        task = asyncio.create_task(pool.run(time.sleep, 60, timeout_s=90))
        await asyncio.wait({task}, timeout=0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.run(os.getpid, timeout_s=10) != pid

    asyncio.run(run())


def test_closing_is_bounded_and_frees_those_who_wait(own: Callable[..., Pool]) -> None:
    pool = own(1)
    pid = pid_of(pool)

    async def run() -> list[object]:
        tasks = [asyncio.create_task(pool.run(time.sleep, 60, timeout_s=90)) for _ in range(5)]
        await asyncio.wait(tasks, timeout=0.3)
        began = time.monotonic()
        await asyncio.to_thread(pool.close)
        pool.close()  # may be repeated
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert time.monotonic() - began < 6
        return results

    results = asyncio.run(run())
    assert [getattr(result, "reason", result) for result in results] == ["crashed"] * 5
    assert gone(pid)
    assert reason_of(pool, os.getpid, timeout_s=1) == "crashed"


def test_processes_outlive_the_thread_that_first_used_them(own: Callable[..., Pool]) -> None:
    """Linux tells a child of its parent's death when the thread that started it ends."""
    pool = own(1)
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(pid_of(pool)))
    thread.start()
    thread.join()
    assert pid_of(pool) == pids[0]


PARENT = """
    import asyncio, os, sys, time
    from collectors.pool import Pool

    MARK = "the parent's script was imported"
    if __name__ != "__main__":
        print(MARK, flush=True)

    async def main():
        pool = Pool(2, preload=())
        pids = {await pool.run(os.getpid, timeout_s=20) for _ in range(10)}
        busy = [asyncio.create_task(pool.run(time.sleep, 600, timeout_s=900)) for _ in range(2)]
        await asyncio.wait(busy, timeout=0.5)
        print(*pids, flush=True)
        await asyncio.wait(busy)

    asyncio.run(main())
"""


def test_processes_die_with_their_parent_at_kill_9_and_do_not_import_its_script(
    tmp_path: Path,
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        line = parent.stdout.readline()
        pids = [int(pid) for pid in line.split()]  # anything else printed would not be numbers
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        assert pids
        assert all(alive(pid) for pid in pids)
        assert children.exists()
        parent.kill()
        parent.wait()
    assert all(gone(pid) for pid in pids)
