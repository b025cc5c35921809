"""A process killed at any statement of a commit, and one that was given up, on SQLite."""

import os
import signal
from pathlib import Path

import pytest

from streams.errors import OwnershipLost
from streams.records import ALERTS, FLAGS, STORIES
from tests.fakes.streams_process import child
from tests.fakes.streams_sqlite import filled, open_log, records, seated


class TestKill:
    def test_at_any_statement_of_a_commit_leaves_all_of_it_or_nothing(self, tmp_path: Path) -> None:
        outcomes = []
        for statement in range(1, 100):
            path = tmp_path / f"{statement}.db"
            filled(path, count=3, size=10)
            killed = commit_killed_at(path, statement)
            log = open_log(path)
            (flags,) = [info for info in log.topics() if info.name == FLAGS]
            found = (
                len(list(log.read(ALERTS))),
                len(list(log.read(STORIES))),
                flags.positions["alert"],
            )
            assert found in {(0, 0, 3), (2, 2, 0)}
            outcomes.append(found)
            if not killed:
                break
        assert outcomes[-1] == (2, 2, 0)
        assert len(outcomes) > 8  # it was killed at BEGIN, each write, and COMMIT


def commit_killed_at(path: Path, statement: int) -> bool:
    """Commit records, rows and a position in a child that dies as it begins its
    `statement`th SQL statement. False when there were not so many."""
    process = os.fork()
    if process == 0:
        left = statement

        def count(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            stage = seated(open_log(path), "alert", (FLAGS,))
            messages = stage.poll(3, 1)
            tx = records(2, topic=ALERTS)
            tx.put(STORIES, "a", b"")
            tx.put(STORIES, "b", b"")
            stage._connection.set_trace_callback(count)
            stage.commit(tx, messages)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


class TestFence:
    def test_a_stage_that_lost_its_lock_cannot_commit(self, path: Path) -> None:
        log = open_log(path)
        first = seated(log, "alert", (FLAGS,))
        seated(log).commit(records(2))
        messages = first.poll(1, 1)
        path.with_name("rasid.db.alert.lock").unlink()
        with child(f"sqlite://{path}", "hold", "alert") as other:
            assert other.line() == "holding"
            with pytest.raises(OwnershipLost, match="moved on without"):
                first.commit(records(1, topic=ALERTS), messages)
            assert not first.acquire(0)  # the other has the seat, and keeps it
            other.kill()
        assert list(log.read(ALERTS)) == []
        assert first.acquire(10)
        assert len(first.poll(2, 1)) == 2

    def test_a_stage_that_lost_its_lock_finds_out_when_it_polls(self, path: Path) -> None:
        first = seated(open_log(path), "alert", (FLAGS,))
        path.with_name("rasid.db.alert.lock").unlink()
        with child(f"sqlite://{path}", "hold", "alert") as other:
            assert other.line() == "holding"
            with pytest.raises(OwnershipLost):
                first.poll(1, 10)

    def test_a_commit_that_landed_though_it_failed_is_not_repeated(self, path: Path) -> None:
        """As after an I/O error of COMMIT itself, and a recovery by another process."""
        log = open_log(path)
        seated(log).commit(records(1))
        stage = seated(log, "alert", (FLAGS,))
        messages = stage.poll(1, 1)
        turn = stage._turn
        tx = records(1, topic=ALERTS)
        stage.commit(tx, messages)
        stage._turn, stage._positions = turn, {FLAGS: 0}  # as if it had not been told
        with pytest.raises(OwnershipLost):
            stage.commit(tx, messages)
        assert stage.acquire(0)
        assert list(stage.poll(1, 0)) == []
        assert len(list(log.read(ALERTS))) == 1

    def test_a_forked_child_has_no_seat(self, path: Path) -> None:
        stage = seated(open_log(path))
        process = os.fork()
        if process == 0:
            try:
                stage.commit(records(1))
            except OwnershipLost:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7
        stage.commit(records(1))
