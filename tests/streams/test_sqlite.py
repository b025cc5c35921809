"""What is the SQLite file's own: its states, its errors, its disk."""

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streams.errors import LogCorrupt, LogUnavailable, OwnershipLost
from streams.log import Transaction
from streams.records import ALERTS, FLAGS, STORIES, TABLES, TOPICS
from streams.sqlite import SqliteLog
from tests.fakes.clock import FakeClock
from tests.fakes.streams_process import child
from tests.fakes.streams_sqlite import filled, open_log, records, seated


@contextmanager
def unprivileged() -> Iterator[None]:
    """Not root for a while: permissions do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that anyone can reach (tmp_path is its owner's alone)."""
    folder = Path(tempfile.mkdtemp(prefix="rasid-test-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


class TestFile:
    def test_is_durable_and_gives_space_back(self, path: Path) -> None:
        stage = seated(open_log(path))
        connection = stage._connection
        values = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "auto_vacuum")
        }
        assert values == {"journal_mode": "wal", "synchronous": 2, "auto_vacuum": 2}

    def test_is_made_with_every_name_of_rasids(self, path: Path) -> None:
        filled(path, count=0)
        assert {info.name for info in open_log(path).topics()} == {*TOPICS, *TABLES}

    def test_is_made_with_its_folder(self, tmp_path: Path) -> None:
        assert seated(open_log(tmp_path / "new" / "rasid.db"))

    def test_is_not_made_in_a_longer_missing_path(self, tmp_path: Path) -> None:
        log = open_log(tmp_path / "not" / "mounted" / "rasid.db")
        with pytest.raises(LogUnavailable, match="not: no such folder") as caught:
            log.stage("process").acquire(0)
        assert caught.value.reason == "missing"

    def test_that_is_missing_is_told_to_readers_and_not_made(self, path: Path) -> None:
        log = open_log(path)
        for use in (log.topics, lambda: log.read(FLAGS), lambda: log.expire({}, FakeClock()())):
            with pytest.raises(LogUnavailable, match="no log there") as caught:
                use()
            assert caught.value.reason == "missing"
        assert not path.exists()

    def test_that_is_empty_is_taken_as_new(self, path: Path) -> None:
        path.touch()
        with pytest.raises(LogUnavailable, match="no log there"):
            open_log(path).topics()
        assert seated(open_log(path))

    def test_can_be_made_by_many_at_once(self, path: Path) -> None:
        names = [f"stage{number}" for number in range(4)]
        with closing_children(path, names) as lines:
            assert lines == ["written"] * 4
        assert len(list(open_log(path).read(ALERTS))) == 20

    def test_with_odd_characters_in_its_path_is_that_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a b?mode=memory#%41 راصد.db"
        filled(path, count=1)
        assert path.exists()
        assert len(list(open_log(path).read(FLAGS))) == 1


@contextmanager
def closing_children(path: Path, names: list[str]) -> Iterator[list[str]]:
    """Processes that start at the same time, each writing as a stage of its own."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        others = [stack.enter_context(child(f"sqlite://{path}", "write", n, 5)) for n in names]
        yield [other.line() for other in others]


class TestDamage:
    def test_another_programs_sqlite_file_is_left_alone(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE bookmarks (url)")
        before = path.read_bytes()
        log = open_log(path)
        for use in (lambda: log.stage("process").acquire(0), log.topics):
            with pytest.raises(LogCorrupt, match=r"rasid\.db: .* not a log of Rasid's") as caught:
                use()
            assert caught.value.reason == "foreign"
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_left_alone(self, path: Path) -> None:
        path.write_text("log: sqlite:///var/lib/rasid/rasid.db\n" * 100)
        before = path.read_bytes()
        log = open_log(path)
        for use in (lambda: log.stage("process").acquire(0), log.topics):
            with pytest.raises(LogCorrupt, match="another path, or restore") as caught:
                use()
            assert caught.value.reason == "foreign"
        assert path.read_bytes() == before

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_a_torn_file_is_told(self, path: Path, share: float) -> None:
        filled(path)
        os.truncate(path, int(path.stat().st_size * share))
        log = open_log(path)
        for use in (lambda: log.stage("process").acquire(0), log.topics):
            with pytest.raises(LogCorrupt, match=r"rasid\.db: damaged .* backup"):
                use()

    def test_damage_within_is_told_when_it_is_met(self, path: Path) -> None:
        filled(path)
        with path.open("r+b") as file:  # no connection is open in this process
            file.seek(4096 * 8)
            file.write(b"\xaa" * (path.stat().st_size - 4096 * 8))
        with pytest.raises(LogCorrupt, match="damaged"):
            list(open_log(path).read(FLAGS))

    def test_a_newer_format_is_left_alone(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE rasid_meta SET value = '2' WHERE key = 'format'")
        log = open_log(path)
        for use in (lambda: log.stage("process").acquire(0), log.topics):
            with pytest.raises(LogCorrupt, match=r"format 2.*up to 1.*Upgrade Rasid") as caught:
                use()
            assert caught.value.reason == "version"

    def test_a_format_nobody_can_read_is_told(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM rasid_meta")
        with pytest.raises(LogCorrupt, match="format"):
            open_log(path).topics()

    def test_a_seat_is_free_again_after_a_failed_start(self, path: Path) -> None:
        path.write_text("not a database" * 100)
        with pytest.raises(LogCorrupt):
            open_log(path).stage("process").acquire(0)
        path.unlink()
        assert seated(open_log(path))


class TestUnavailable:
    def test_a_locked_file_delays_a_commit_and_loses_nothing(self, path: Path) -> None:
        log = open_log(path)
        stage = seated(log)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogUnavailable, match=r"rasid\.db: locked") as caught:
                stage.commit(records(1))
            assert caught.value.reason == "locked"
            assert caught.value.retryable
            assert list(log.read(FLAGS)) == []  # readers do not wait for it
        stage.commit(records(1))
        assert len(list(log.read(FLAGS))) == 1

    def test_a_locked_file_delays_a_start(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogUnavailable, match="locked"):
                open_log(path).stage("process").acquire(0)
        assert seated(open_log(path))

    def test_a_full_disk_delays_a_commit_and_loses_nothing(
        self, path: Path, clock: FakeClock
    ) -> None:
        log = open_log(path, clock, max_page_count=100)
        stage = seated(log)
        stage.commit(records(10))
        tx = records(200, size=4000)
        tx.put(STORIES, "s", b"1")
        for _ in range(2):
            with pytest.raises(LogUnavailable, match=r"rasid\.db: the disk is full") as caught:
                stage.commit(tx)
            assert caught.value.reason == "full"
        assert len(list(log.read(FLAGS))) == 10
        assert stage.get(STORIES, "s") is None
        stage.commit(records(5))

    def test_a_full_disk_can_be_relieved_by_expiry(self, path: Path, clock: FakeClock) -> None:
        log = open_log(path, clock, max_page_count=150)
        stage = seated(log)
        with pytest.raises(LogUnavailable, match="full"):
            while True:
                stage.commit(records(5, size=4000))
        assert log.expire({FLAGS: 1}, clock.advance(10)) > 50
        stage.commit(records(50, size=4000))

    def test_a_full_disk_at_the_start_is_told(self, path: Path) -> None:
        with pytest.raises(LogUnavailable, match="full"):
            open_log(path, max_page_count=3).stage("process").acquire(0)
        assert seated(open_log(path))

    def test_a_folder_in_the_files_place_is_told(self, path: Path) -> None:
        path.mkdir()
        for use in (lambda: open_log(path).stage("process").acquire(0), open_log(path).topics):
            with pytest.raises(LogUnavailable, match=r"rasid\.db: a folder"):
                use()

    def test_a_file_in_the_folders_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(LogUnavailable, match="file: cannot be used as the log's folder"):
            open_log(tmp_path / "file" / "rasid.db").stage("process").acquire(0)

    def test_a_read_only_folder_is_told_to_stages(self, public_folder: Path) -> None:
        public_folder.chmod(0o555)
        with (
            unprivileged(),
            pytest.raises(LogUnavailable, match=f"able to write in {public_folder}") as caught,
        ):
            open_log(public_folder / "rasid.db").stage("process").acquire(0)
        assert caught.value.reason == "io"

    def test_a_read_only_file_is_told_to_stages(self, public_folder: Path) -> None:
        path = public_folder / "rasid.db"
        filled(path)
        path.chmod(0o444)
        path.with_name("rasid.db.process.lock").chmod(0o666)
        with unprivileged(), pytest.raises(LogUnavailable, match="able to write the file"):
            open_log(path).stage("process").acquire(0)

    def test_a_read_only_folder_can_be_read_without_a_daemon(self, public_folder: Path) -> None:
        path = public_folder / "rasid.db"
        filled(path, count=3)
        public_folder.chmod(0o555)
        with unprivileged():
            assert len(list(open_log(path).read(FLAGS))) == 3

    def test_a_read_only_folder_can_be_read_beside_a_daemon(self, public_folder: Path) -> None:
        path = public_folder / "rasid.db"
        stage = seated(open_log(path))
        stage.commit(records(3))
        public_folder.chmod(0o555)
        with unprivileged():
            assert len(list(open_log(path).read(FLAGS))) == 3

    def test_a_file_removed_under_a_stage_is_told(self, path: Path) -> None:
        stage = seated(open_log(path))
        path.rename(path.with_suffix(".gone"))
        for use in (lambda: stage.commit(records(1)), lambda: stage.poll(1, 0)):
            with pytest.raises(LogUnavailable, match="no log there") as caught:
                use()
            assert caught.value.reason == "missing"
        path.with_suffix(".gone").rename(path)
        stage.commit(records(1))

    def test_a_file_replaced_under_a_stage_is_taken_up_afresh(self, path: Path) -> None:
        log = open_log(path)
        stage = seated(log)
        stage.commit(records(1))
        stage.close()
        shutil.copy(path, path.with_suffix(".backup"))
        assert stage.acquire(0)
        stage.commit(records(1))
        path.with_suffix(".backup").replace(path)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        with pytest.raises(OwnershipLost, match="another file"):
            stage.commit(records(1))
        assert stage.acquire(0)
        stage.commit(records(1))
        assert len(list(log.read(FLAGS))) == 2


class TestSpace:
    def test_expiry_shrinks_the_file(self, path: Path, clock: FakeClock) -> None:
        log = open_log(path, clock)
        stage = seated(log, "alert", (FLAGS,))
        writer = seated(log)
        for _ in range(30):
            writer.commit(records(100, size=4000))
        writer.close()
        while messages := stage.poll(1000, 0):
            stage.commit(Transaction(), messages)
        log.expire({}, clock())
        large = path.stat().st_size
        assert large > 3000 * 4000
        assert log.expire({FLAGS: 1}, clock.advance(10)) == 3000
        assert path.stat().st_size < large / 20
        assert path.with_name("rasid.db-wal").stat().st_size == 0

    def test_expiry_walks_over_many_records_dated_in_the_future(
        self, path: Path, clock: FakeClock
    ) -> None:
        log = open_log(path, clock)
        stage = seated(log)
        right = clock()
        clock.advance(365 * 86400)
        stage.commit(records(1200))
        clock.now = right
        stage.commit(records(3))
        assert log.expire({FLAGS: 1}, clock.advance(10)) == 3
        assert log.expire({FLAGS: 1}, clock.advance(366 * 86400)) == 1200

    def test_a_reader_that_has_stopped_reading_holds_no_space(
        self, path: Path, clock: FakeClock
    ) -> None:
        log = open_log(path, clock)
        stage = seated(log)
        stage.commit(records(1000, size=4000))
        half = log.read(FLAGS)
        next(half)
        log.expire({FLAGS: 1}, clock.advance(10))
        assert path.stat().st_size < 400_000
        assert list(half)[-1].key == "199"  # its page; the rest is gone


class TestCost:
    def test_waiting_costs_next_to_nothing(self, path: Path) -> None:
        log = SqliteLog(path, clock=FakeClock())
        stage = seated(log, "alert", (FLAGS,))
        stage.poll(1, 0)
        began = time.thread_time()
        stage.poll(1, 0.5)
        assert time.thread_time() - began < 0.02  # measured: 0.001

    def test_a_commit_of_another_thread_is_seen_while_waiting(self, path: Path) -> None:
        log = open_log(path)
        stage = seated(log, "alert", (FLAGS,))
        writer = seated(log)
        stage.poll(1, 0)
        thread = threading.Thread(target=lambda: writer.commit(records(1)))
        thread.start()
        assert len(stage.poll(1, 30)) == 1
        thread.join()


def test_a_commit_wakes_the_waiting_stages_of_its_process(path: Path) -> None:
    log = open_log(path, poll_interval_s=3600)  # by looking alone it would not be seen
    writer, reader = seated(log, "collect"), seated(log, "alert", (FLAGS,))
    came: list[int] = []
    thread = threading.Thread(target=lambda: came.append(len(reader.poll(10, 60))), daemon=True)
    thread.start()
    writer.commit(records(3))
    thread.join(20)
    assert came == [3]
    for stage in (writer, reader):
        stage.close()
