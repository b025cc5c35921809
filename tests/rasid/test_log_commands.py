"""`rasid log copy` and what it leaves behind, from the command line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rasid.cli import main
from streams.carriers import open_log
from streams.log import Transaction
from streams.records import FLAGS


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
