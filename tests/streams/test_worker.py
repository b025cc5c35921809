"""The worker over a real log: what becomes of good records, bad ones, and a log that fails."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from streams.errors import (
    LogCorrupt,
    LogUnavailable,
    Malformed,
    NewerSchema,
    OwnershipLost,
    RasidError,
)
from streams.log import Message, Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import ARTICLES, BACKFILL, DEADLETTERS, FLAGS, STORIES, DeadLetter, decode
from streams.sqlite import SqliteLog
from streams.worker import RetryPolicy, Worker
from tests.fakes.clock import FakeClock
from tests.fakes.streams_faulty import FaultyStage


def away() -> LogUnavailable:
    return LogUnavailable("locked by a test", reason="locked")


class Passing(RasidError):
    """An error that may pass."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class Bench:
    """A log with some articles in it, a worker to be made over it, and all it says."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.log = SqliteLog(path, clock=self.clock)
        self.source = self.log.stage("collect")
        assert self.source.acquire(10)
        self.stage: Stage = self.log.stage("process", [ARTICLES, BACKFILL])
        self.registry = CollectorRegistry()
        self.metrics = StageMetrics(self.registry)
        self.stop = threading.Event()
        self.waits: list[float] = []
        self.stop_after_waits: int | None = None

    def articles(self, *keys: str, topic: str = ARTICLES) -> None:
        tx = Transaction()
        for key in keys:
            tx.append(topic, key, f"text of {key}".encode())
        self.source.commit(tx)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if len(self.waits) == self.stop_after_waits:
            self.stop.set()
        return stop.is_set()

    def worker(
        self,
        handler: Callable[[Message, Transaction], None],
        *,
        acquire: bool = True,
        on_acquired: Callable[[], None] | None = None,
        **errors: list[Exception],
    ) -> Worker:
        if acquire:
            assert self.stage.acquire(10)
        self.faulty = FaultyStage(self.stage, **errors)
        return Worker(
            self.faulty,
            {ARTICLES: handler, BACKFILL: handler},
            clock=self.clock,
            metrics=self.metrics,
            retry=RetryPolicy(attempts=3, first_s=0.1, max_s=0.15),
            on_acquired=on_acquired,
            wait=self.wait,
        )

    def flags(self) -> list[str]:
        return [message.key for message in self.log.read(FLAGS)]

    def letters(self) -> list[DeadLetter]:
        return [decode(DeadLetter, message.value) for message in self.log.read(DEADLETTERS)]

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"rasid_records_{name}_total", {"stage": "process"})

    def behind(self) -> int:
        (found,) = [info for info in self.log.topics() if info.name == ARTICLES]
        return found.positions["process"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "rasid.db")


def flag(message: Message, tx: Transaction) -> None:
    tx.append(FLAGS, message.key, message.value)


def failing(key: str, *errors: Exception) -> Callable[[Message, Transaction], None]:
    """Flags every record but `key`, on which it raises the errors in turn, then flags it."""
    left = list(errors)

    def handle(message: Message, tx: Transaction) -> None:
        tx.append(FLAGS, message.key, message.value)
        tx.put(STORIES, message.key, b"")
        if message.key == key and left:
            raise left.pop(0)

    return handle


class TestStep:
    def test_handles_a_batch_and_commits_it_with_the_position(self, bench: Bench) -> None:
        bench.articles("a", "b", "c")
        assert bench.worker(flag).step(1) == 3
        assert bench.flags() == ["a", "b", "c"]
        assert bench.behind() == 0
        assert bench.faulty.calls == ["poll", "commit"]
        assert [bench.metric(name) for name in ("in", "out", "failed", "dead")] == [3, 3, 0, 0]

    def test_commits_in_pieces_what_a_batch_writes_too_much_of(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streams.worker.GATHERED_BYTES", 100)
        bench.articles("a", "b", "c", "d", "e")

        def rewrite(message: Message, tx: Transaction) -> None:
            tx.put(STORIES, "one", b"x" * 40)
            tx.append(FLAGS, message.key, b"x" * 20)

        assert bench.worker(rewrite).step(1) == 5
        assert bench.faulty.calls == ["poll", "commit", "commit", "commit"]
        assert bench.flags() == ["a", "b", "c", "d", "e"]
        assert bench.behind() == 0

    def test_what_follows_a_piece_and_cannot_be_handled_leaves_the_piece_done(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streams.worker.GATHERED_BYTES", 1)
        bench.articles("a", "b", "c")
        worker = bench.worker(failing("b", away()))
        with pytest.raises(LogUnavailable):
            worker.step(1)
        assert bench.flags() == ["a"]
        assert worker.step(1) == 2
        assert bench.flags() == ["a", "b", "c"]

    def test_of_nothing_does_nothing(self, bench: Bench) -> None:
        assert bench.worker(flag).step(0) == 0
        assert bench.faulty.calls == ["poll"]

    def test_a_handler_that_writes_nothing_still_moves_on(self, bench: Bench) -> None:
        bench.articles("a")
        assert bench.worker(lambda message, tx: None).step(1) == 1
        assert bench.behind() == 0

    def test_calls_the_handler_of_the_topic(self, bench: Bench) -> None:
        bench.articles("old", topic=BACKFILL)
        assert bench.worker(flag).step(1) == 1
        assert bench.flags() == ["old"]

    def test_takes_a_topic_without_a_handler_for_a_mistake(self, bench: Bench) -> None:
        bench.articles("a")
        worker = bench.worker(flag)
        worker._handlers = {}
        with pytest.raises(KeyError):
            worker.step(1)
        assert bench.behind() == 1


class TestBadRecord:
    def test_a_malformed_record_costs_only_itself(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")
        bench.clock.advance(5)
        assert bench.worker(failing("bad", Malformed("no Article: broken"))).step(1) == 3
        assert bench.flags() == ["a", "c"]
        assert bench.stage.get(STORIES, "bad") is None
        (bad,) = [m for m in bench.log.read(ARTICLES) if m.key == "bad"]
        assert bench.letters() == [
            DeadLetter(
                stage="process",
                topic=ARTICLES,
                partition=0,
                offset=bad.offset,
                key="bad",
                cause="malformed",
                error="Malformed: no Article: broken",
                failed=bench.clock(),
                attempts=1,
                value="text of bad",
            )
        ]
        assert bench.waits == []
        assert [bench.metric(n) for n in ("in", "out", "failed", "retried", "dead")] == [
            3, 3, 1, 0, 1,
        ]  # fmt: skip

    def test_a_bug_costs_only_the_record_that_met_it(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")
        assert bench.worker(failing("bad", ZeroDivisionError("by \ud800 zero"))).step(1) == 3
        assert bench.flags() == ["a", "c"]
        (letter,) = bench.letters()
        assert (letter.cause, letter.error) == ("failed", "ZeroDivisionError: by ? zero")

    def test_what_may_pass_is_tried_again(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")
        assert bench.worker(failing("bad", Passing("1"), Passing("2"))).step(1) == 3
        assert bench.flags() == ["a", "bad", "c"]
        assert bench.letters() == []
        assert bench.waits == [0.1, 0.15]
        assert [bench.metric(n) for n in ("failed", "retried", "dead")] == [2, 2, 0]

    def test_what_does_not_pass_is_dead_after_a_few_tries(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")
        errors = [Passing(str(number)) for number in range(9)]
        assert bench.worker(failing("bad", *errors)).step(1) == 3
        assert bench.flags() == ["a", "c"]
        (letter,) = bench.letters()
        assert (letter.cause, letter.attempts, letter.error) == ("retries_spent", 3, "Passing: 2")

    def test_a_stop_ends_the_wait_and_the_record_stays(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")
        worker = bench.worker(failing("bad", Passing("1")))
        worker._stop = bench.stop
        bench.stop_after_waits = 1
        assert worker.step(1) == 1
        assert bench.flags() == ["a"]
        assert bench.letters() == []
        assert bench.behind() == 2
        bench.stop.clear()
        assert worker.step(1) == 2
        assert bench.flags() == ["a", "bad", "c"]

    def test_what_cannot_be_stored_costs_only_its_record(self, bench: Bench) -> None:
        bench.articles("a", "bad", "c")

        def handle(message: Message, tx: Transaction) -> None:
            key = "\ud800" if message.key == "bad" else message.key
            tx.append(FLAGS, key, message.value)

        assert bench.worker(handle).step(1) == 3
        assert bench.flags() == ["a", "c"]
        (letter,) = bench.letters()
        assert (letter.key, letter.cause) == ("bad", "failed")
        assert bench.metric("dead") == 1

    def test_a_value_that_is_no_text_is_kept_whole(self, bench: Bench) -> None:
        tx = Transaction()
        tx.append(ARTICLES, "a", b"\xff\x00")
        bench.source.commit(tx)
        bench.worker(failing("a", Malformed("m"))).step(1)
        (letter,) = bench.letters()
        assert (letter.encoding, letter.value) == ("base64", "/wA=")

    def test_a_long_error_is_cut(self, bench: Bench) -> None:
        bench.articles("a")
        bench.worker(failing("a", Malformed("x" * 100_000))).step(1)
        assert len(bench.letters()[0].error) == 2000


class TestNewerSchema:
    def test_stops_the_stage_with_all_before_it_committed(self, bench: Bench) -> None:
        bench.articles("a", "newer", "c")
        worker = bench.worker(failing("newer", NewerSchema("of schema 2: upgrade")))
        with pytest.raises(NewerSchema, match="upgrade"):
            worker.step(1)
        assert bench.flags() == ["a"]
        assert bench.behind() == 2
        assert bench.letters() == []
        assert worker.step(1) == 2  # the position was kept
        assert bench.flags() == ["a", "newer", "c"]

    def test_comes_out_of_run(self, bench: Bench) -> None:
        bench.articles("newer")
        worker = bench.worker(failing("newer", NewerSchema("upgrade")), acquire=False)
        with pytest.raises(NewerSchema):
            worker.run(bench.stop)
        assert not worker.ready
        assert bench.faulty.calls[-1] == "close"


class TestLogTrouble:
    def test_a_failed_commit_is_tried_again_with_the_same_work(self, bench: Bench) -> None:
        bench.articles("a", "b")
        handled: list[str] = []

        def handle(message: Message, tx: Transaction) -> None:
            handled.append(message.key)
            flag(message, tx)

        assert bench.worker(handle, commit=[away(), away()]).step(1) == 2
        assert handled == ["a", "b"]
        assert bench.flags() == ["a", "b"]
        assert bench.waits == [0.1, 0.2]
        assert bench.metric("in") == 2

    def test_a_failed_commit_is_given_up_at_a_stop(self, bench: Bench) -> None:
        bench.articles("a")
        worker = bench.worker(flag, commit=[away() for _ in range(99)])
        worker._stop = bench.stop
        bench.stop_after_waits = 2
        with pytest.raises(LogUnavailable):
            worker.step(1)
        assert bench.faulty.calls == ["poll", "commit", "commit", "commit"]
        assert bench.behind() == 1

    def test_a_log_that_fails_a_handler_is_not_the_records_fault(self, bench: Bench) -> None:
        bench.articles("a")
        worker = bench.worker(failing("a", away()))
        with pytest.raises(LogUnavailable):
            worker.step(1)
        assert bench.letters() == []
        assert worker.step(1) == 1
        assert bench.flags() == ["a"]

    def test_a_lost_seat_comes_out_and_nothing_is_committed(self, bench: Bench) -> None:
        bench.articles("a")
        worker = bench.worker(flag, commit=[OwnershipLost("another")])
        with pytest.raises(OwnershipLost):
            worker.step(1)
        assert bench.flags() == []
        assert worker.step(1) == 1


class TestRun:
    def running(self, bench: Bench, worker: Worker) -> threading.Thread:
        thread = threading.Thread(target=worker.run, args=(bench.stop,))
        thread.start()
        return thread

    def test_works_until_stopped_and_gives_the_seat_up(self, bench: Bench) -> None:
        done = threading.Semaphore(0)

        def handle(message: Message, tx: Transaction) -> None:
            flag(message, tx)
            done.release()

        worker = bench.worker(handle, acquire=False)
        thread = self.running(bench, worker)
        for key in ("a", "b", "c"):
            bench.articles(key)
            assert done.acquire(timeout=30)
        bench.stop.set()
        thread.join(30)
        assert not thread.is_alive()
        assert bench.flags() == ["a", "b", "c"]
        assert not worker.ready
        assert bench.log.stage("process").acquire(0)

    def test_stops_after_the_record_in_hand(self, bench: Bench) -> None:
        bench.articles("a", "b", "c")

        def handle(message: Message, tx: Transaction) -> None:
            flag(message, tx)
            if message.key == "b":
                bench.stop.set()

        bench.worker(handle, acquire=False).run(bench.stop)
        assert bench.flags() == ["a", "b"]
        assert bench.behind() == 1

    def test_waits_out_a_log_that_is_away(self, bench: Bench) -> None:
        bench.articles("a")
        ready: list[bool] = []

        def handle(message: Message, tx: Transaction) -> None:
            flag(message, tx)
            ready.append(worker.ready)
            bench.stop.set()

        worker = bench.worker(handle, acquire=False, poll=[away() for _ in range(9)])
        worker.run(bench.stop)
        assert bench.flags() == ["a"]
        assert bench.waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
        assert ready == [False]  # true again only when a round has succeeded

    def test_waits_for_a_log_that_is_not_there_yet(self, bench: Bench) -> None:
        bench.stop_after_waits = 2
        worker = bench.worker(flag, acquire=False)
        worker._stage = FaultyStage(bench.stage, acquire=[away() for _ in range(9)])
        worker.run(bench.stop)
        assert bench.waits == [0.1, 0.2]

    def test_takes_the_seat_again_after_losing_it_and_starts_afresh(self, bench: Bench) -> None:
        bench.articles("a")
        loaded: list[int] = []

        def handle(message: Message, tx: Transaction) -> None:
            flag(message, tx)
            if len(loaded) == 2:
                bench.stop.set()

        worker = bench.worker(
            handle,
            acquire=False,
            on_acquired=lambda: loaded.append(1),
            commit=[OwnershipLost("another")],
        )
        worker.run(bench.stop)
        assert len(loaded) == 2
        assert bench.flags() == ["a"]

    def test_a_damaged_log_comes_out(self, bench: Bench) -> None:
        worker = bench.worker(flag, acquire=False, poll=[LogCorrupt("damaged")])
        with pytest.raises(LogCorrupt):
            worker.run(bench.stop)
        assert bench.faulty.calls[-1] == "close"

    def test_stands_by_while_another_works(self, bench: Bench) -> None:
        other = bench.log.stage("process")
        assert other.acquire(0)
        worker = bench.worker(flag, acquire=False)
        thread = self.running(bench, worker)
        bench.articles("a")
        assert not worker.ready
        other.close()
        reader = bench.log.stage("archive", [FLAGS])
        assert reader.acquire(10)
        assert [message.key for message in reader.poll(1, 30)] == ["a"]
        bench.stop.set()
        thread.join(30)
        assert not thread.is_alive()


class TestMetrics:
    def test_series_stand_at_zero_from_the_start(self, bench: Bench) -> None:
        bench.worker(flag)
        for name in ("in", "out", "failed", "retried", "dead"):
            assert bench.metric(name) == 0

    def test_lag_is_what_the_log_says_and_a_backfills_is_told_apart(self, bench: Bench) -> None:
        assert bench.stage.acquire(10)
        bench.articles("a", "b")
        bench.articles("old", topic=BACKFILL)
        bench.metrics.set_lag(bench.log.lag())
        labels = {"stage": "process"}
        assert bench.registry.get_sample_value("rasid_lag_records", labels) == 2
        assert bench.registry.get_sample_value("rasid_backfill_lag_records", labels) == 1

    def test_a_stage_that_has_ended_has_no_heartbeat_to_miss(self, bench: Bench) -> None:
        name, labels = "rasid_stage_heartbeat_timestamp_seconds", {"stage": "process"}
        bench.metrics.beat("process")
        assert list(bench.metrics.beats()) == ["process"]
        assert (bench.registry.get_sample_value(name, labels) or 0) > 0
        bench.metrics.ended("process")
        assert bench.metrics.beats() == {}
        assert bench.registry.get_sample_value(name, labels) is None

    def test_seconds_are_observed_for_each_batch(self, bench: Bench) -> None:
        bench.articles("a", "b")
        bench.worker(flag).step(1)
        value = bench.registry.get_sample_value("rasid_stage_seconds_count", {"stage": "process"})
        assert value == 1
