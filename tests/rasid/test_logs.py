"""Logs are JSON off a terminal, libraries' included, and no secret passes."""

import json
import logging
import os
from pathlib import Path

import pytest
import structlog

from rasid import logs


@pytest.fixture(autouse=True)
def _restore() -> object:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def test_secrets_are_blotted_out_of_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", terminal=False)
    logs.redaction.know(["s3cr3t-token"])
    structlog.get_logger("a").info(
        "sent", url="https://x/s3cr3t-token", nested={"k": ["s3cr3t-token"]}
    )
    logging.getLogger("b").warning("refused %s", "s3cr3t-token")
    try:
        raise RuntimeError("s3cr3t-token")
    except RuntimeError:
        structlog.get_logger("c").exception("failed")
    out = capsys.readouterr().err
    assert "s3cr3t-token" not in out
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["event"] for e in events] == ["sent", "refused ***", "failed"]
    assert events[0]["url"] == "https://x/***"
    assert "RuntimeError: ***" in events[2]["exception"]


def test_a_client_library_that_repeats_itself_is_heard_once() -> None:
    now = 0.0
    once = logs.Once(60.0, clock=lambda: now)

    def heard(name: str, words: str, *values: object) -> bool:
        return once.filter(logging.LogRecord(name, logging.ERROR, "", 0, words, values, None))

    assert heard("kafka.net", "no connection to %s", "a:9092")
    assert not heard("kafka.net", "no connection to %s", "b:9092")
    assert heard("kafka.net", "connected to %s", "b:9092")
    assert heard("rasid.app", "log_unavailable")
    assert heard("rasid.app", "log_unavailable")
    now = 61.0
    assert heard("kafka.net", "no connection to %s", "a:9092")


def test_what_a_client_library_says_of_its_own_slow_steps_is_not_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("info", terminal=False)
    logging.getLogger("kafka.net.selector").warning("Task 0x7f ran for 0.2s (>0.1s threshold)")
    logging.getLogger("kafka.net").warning("no connection")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "no connection"


def test_the_journal_is_told_the_level_of_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_journal, levels in ((True, ["<6>{", "<4>{", "<3>{"]), (False, ['{"e', '{"e', '{"e'])):
        with (tmp_path / "journal").open("w+") as journal:
            status = os.fstat(journal.fileno())
            stream = f"{status.st_dev}:{status.st_ino}" if is_journal else "8:1"
            monkeypatch.setenv("JOURNAL_STREAM", stream)
            monkeypatch.setattr("sys.stderr", journal)
            logs.set_up("info", terminal=False)
            log = structlog.get_logger("a")
            log.info("began")
            log.warning("odd")
            log.error("failed")
            journal.seek(0)
            lines = journal.read().splitlines()
        assert [line[: len(level)] for line, level in zip(lines, levels, strict=True)] == levels


def test_arabic_stays_readable(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", terminal=False)
    structlog.get_logger("a").info("flagged", title="هدنة")
    assert "هدنة" in capsys.readouterr().err
