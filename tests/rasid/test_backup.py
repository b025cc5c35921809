"""`rasid log backup`: a copy beside a writer, whole, and good to go on from."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rasid.cli import main
from streams.errors import LogCorrupt, LogUnavailable
from streams.log import Transaction
from streams.records import ALERTS, FLAGS, STORIES
from streams.sqlite import SqliteLog
from streams.sqlite_backup import back_up


def now() -> datetime:
    return datetime.now(UTC)


def backup(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["rasid", "log", "backup", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def pair(number: int) -> Transaction:
    """A record and a row that belong together."""
    tx = Transaction()
    tx.append(FLAGS, str(number), b"x" * 2000)
    tx.put(STORIES, "last", str(number).encode())
    return tx


def test_a_copy_made_beside_a_busy_writer_is_of_one_moment_and_can_be_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    log = SqliteLog(tmp_path / "rasid.db", clock=now)
    stage = log.stage("process")
    assert stage.acquire(1)
    started, stop = threading.Event(), threading.Event()
    committed = 0

    def write() -> None:
        nonlocal committed
        while not stop.is_set():
            stage.commit(pair(committed))
            committed += 1
            if committed == 50:
                started.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert started.wait(20)
    before = committed
    assert backup(monkeypatch, "copy.db") == 0
    stop.set()
    writer.join()
    stage.close()
    assert "copy.db: " in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.glob("copy*")) == ["copy.db"]

    restored = SqliteLog(tmp_path / "copy.db", clock=now)
    keys = [message.key for message in restored.read(FLAGS)]
    assert before <= len(keys) <= committed  # with what is in the write-ahead file only
    assert keys == [str(n) for n in range(len(keys))]
    assert [row.value.decode() for row in restored.rows(STORIES)] == [keys[-1]]
    # A daemon that is started on it reads on, and numbers on.
    reader = restored.stage("alert", reads=(ALERTS, FLAGS))
    assert reader.acquire(1)
    messages = reader.poll(1000, 0)
    assert [message.key for message in messages] == keys
    reader.commit(pair(len(keys)), after=messages)
    reader.close()
    assert restored.lag()["alert"] == {FLAGS: 1, ALERTS: 0}
    assert [m.offset for m in restored.read(FLAGS)][-1] == len(keys)


def test_a_copy_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "rasid.db", clock=now)
    stage = log.stage("process")
    assert stage.acquire(1)
    for number in range(200):
        stage.commit(pair(number))
    stage.close()
    (tmp_path / "there.db").write_text("of somebody")
    with pytest.raises(LogUnavailable, match=r"there\.db: is there already"):
        back_up(tmp_path / "rasid.db", tmp_path / "there.db")
    assert (tmp_path / "there.db").read_text() == "of somebody"
    with pytest.raises(LogUnavailable, match="cannot be opened or written"):
        back_up(tmp_path / "rasid.db", tmp_path / "no-folder" / "copy.db")
    with pytest.raises(LogUnavailable, match="no log there"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    whole = (tmp_path / "rasid.db").read_bytes()
    at = len(whole) // 2 // 4096 * 4096  # a page in the middle
    (tmp_path / "rasid.db").write_bytes(whole[:at] + b"\xff" * 4096 + whole[at + 4096 :])
    with pytest.raises(LogCorrupt, match="damaged"):
        back_up(tmp_path / "rasid.db", tmp_path / "copy.db")
    assert sorted(p.name for p in tmp_path.glob("copy*")) == []


def test_a_log_on_kafka_is_not_backed_up_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rasid.yaml").write_text("log: kafka://127.0.0.1:9092\n")
    assert backup(monkeypatch, "copy.db") == 1
    assert "rasid log copy" in capsys.readouterr().err
