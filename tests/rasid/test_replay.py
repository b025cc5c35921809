"""Past articles through the rules again: what is told, and what is given to the processors."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rasid.cli import main
from streams.carriers import open_log
from streams.log import Log, Transaction
from streams.records import ARTICLES, BACKFILL, FLAGS, Article, Flag, Report, encode

NOW = datetime.now(UTC)
TRUCE = "دعا المبعوث الأممي طرفي القتال في سرت إلى هدنة إنسانية فورية."


def article(key: str, text: str) -> Article:
    return Article(
        id=key, url=f"https://example.org/{key}", linked_url=f"https://example.org/{key}",
        source="desk", source_name="مكتب", feed="https://example.org/feed", title="خبر",
        text=text, language="ar", seen=NOW, fetched=NOW, text_hash=key,
    )  # fmt: skip


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """An old article that was never flagged, and two newer ones of which one's report is wrong."""
    monkeypatch.chdir(tmp_path)
    log = open_log(f"sqlite://{tmp_path}/rasid.db", clock=lambda: NOW)
    stage = log.stage("collect")
    assert stage.acquire(1)
    tx = Transaction()
    old = NOW - timedelta(days=3)
    tx.append(ARTICLES, "old", encode(article("old", TRUCE)), time=old)
    tx.append(ARTICLES, "new", encode(article("new", TRUCE)))
    tx.append(ARTICLES, "dull", encode(article("dull", "افتتح الوزير المعرض السنوي للكتاب.")))
    wrong = Flag(theme="oil_field", development="halted", score=1, rule="r", spans=(), quote="")
    report = Report(
        article_id="dull", revision=1, url="", title="", source="", source_name="",
        language="ar", seen=NOW, flags=(wrong,),
    )  # fmt: skip
    tx.append(FLAGS, "dull", encode(report))
    stage.commit(tx)
    stage.close()
    return log


def rasid(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["rasid", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_report_tells_what_comes_and_what_goes(
    log: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rasid(monkeypatch, "replay", "--json", "--since", "1d") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["articles"] == 2
    assert {c["id"]: (c["new"], c["gone"]) for c in told["changed"]} == {
        "new": ([["ceasefire", "called_for"]], []),
        "dull": ([], [["oil_field", "halted"]]),
    }
    assert rasid(monkeypatch, "replay") == 0
    out = capsys.readouterr().out
    assert "+2      ceasefire: called_for" in out
    assert "-1      oil_field: halted" in out
    assert "3 articles, 3 flagged otherwise" in out
    assert [m.key for m in log.read(BACKFILL)] == []


def test_for_real_the_articles_go_to_the_lane_that_alerts_nobody_unless_asked(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rasid(monkeypatch, "replay", "--from", "1", "--for-real") == 0
    assert [m.key for m in log.read(BACKFILL)] == ["new", "dull"]
    since = (NOW - timedelta(days=4)).isoformat()
    assert rasid(monkeypatch, "replay", "--since", since, "--for-real", "--alert") == 0
    assert [m.key for m in log.read(ARTICLES)] == ["old", "new", "dull"] * 2


def test_what_makes_no_sense_is_refused(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rasid(monkeypatch, "replay", "--alert") == 2
    assert rasid(monkeypatch, "replay", "--since", "yesterday") == 2
    assert rasid(monkeypatch, "replay", "--from", "-1") == 2
