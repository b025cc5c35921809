"""`rasid log copy` and `rasid deadletters`, from the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rasid.cli import main
from streams.carriers import open_log
from streams.log import Transaction
from streams.records import DEADLETTERS, FLAGS, DeadLetter, encode


def rasid(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run a command; its exit code."""
    monkeypatch.setattr("sys.argv", ["rasid", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_log_is_copied_into_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = (f"sqlite://{tmp_path}/{name}.db" for name in ("one", "other"))
    stage = open_log(one, clock=lambda: datetime.now(UTC)).stage("process")
    assert stage.acquire(1)
    tx = Transaction()
    tx.append(FLAGS, "a", b"{}")
    stage.commit(tx)
    monkeypatch.setattr("streams.copying.SEAT_S", 0.1)
    assert rasid(monkeypatch, "log", "copy", one, other) == 1
    assert "being worked (stage process); stop Rasid first" in capsys.readouterr().err
    stage.close()
    assert rasid(monkeypatch, "log", "copy", one, other) == 0
    assert f"Set `log: {other}`" in capsys.readouterr().out
    assert [m.key for m in open_log(other, clock=lambda: datetime.now(UTC)).read(FLAGS)] == ["a"]


def test_dead_letters_are_listed_shown_replayed_and_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    log = open_log(f"sqlite://{tmp_path}/rasid.db", clock=lambda: datetime.now(UTC))
    stage = log.stage("process")
    assert stage.acquire(1)
    tx = Transaction()
    for key in ("first", "second", "third"):
        letter = DeadLetter(
            stage="process", topic=FLAGS, partition=0, offset=1, key=key, cause="failed",
            error="ValueError: odd", failed=datetime.now(UTC), value="{}",
        )  # fmt: skip
        tx.append(DEADLETTERS, "process", encode(letter))
    stage.commit(tx)

    def listed(*options: str) -> list[dict[str, str]]:
        capsys.readouterr()
        assert rasid(monkeypatch, "deadletters", "list", "--json", *options) == 0
        found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
        return found

    first, second, third = (x["id"] for x in listed())
    assert listed("--stage", "alert") == listed("--older", "1h") == []
    assert rasid(monkeypatch, "deadletters", "show", second) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == "{}"
    assert rasid(monkeypatch, "deadletters", "replay", first) == 0
    assert rasid(monkeypatch, "deadletters", "replay", first) == 1
    assert f"{first} was replayed already" in capsys.readouterr().err
    assert rasid(monkeypatch, "deadletters", "drop", second) == 0
    assert [x["id"] for x in listed()] == [third]
    assert [x["settled"] for x in listed("--settled")] == ["replayed", "dropped", None]
    assert [m.key for m in log.read(FLAGS)] == ["first"]
    assert rasid(monkeypatch, "deadletters", "drop") == 2
    assert rasid(monkeypatch, "deadletters", "drop", "--older", "soon") == 2
    assert rasid(monkeypatch, "deadletters", "replay", "none") == 1
    assert rasid(monkeypatch, "deadletters", "drop", "--cause", "failed") == 0
    assert listed() == []


@pytest.mark.parametrize("command", [["log", "topics"], ["replay"], ["deadletters", "list"]])
def test_brokers_that_are_away_are_told_in_one_line(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streams.kafka_client.BOOTSTRAP_S", 0.5)
    (tmp_path / "rasid.yaml").write_text("log: kafka://127.0.0.1:1\n")
    assert rasid(monkeypatch, *command) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("rasid: kafka://127.0.0.1:1: no answer")
