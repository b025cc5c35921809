"""`rasid backfill` and the whole road behind it: flagged, put into stories, told to nobody
unless asked."""

import gzip
import io
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.receivers import Receiver, TerminalOptions
from alerts.routing import Route
from alerts.stage import AlertStage
from processors.flagger import Flagger, load_flagger
from processors.processor import READS, Processor
from rasid.cli import main
from streams.carriers import open_log
from streams.log import Log
from streams.metrics import StageMetrics
from streams.records import ALERTS, BACKFILL, FLAGS, STORIES, Alert, Article, Report, Story, decode
from tests.fakes.collecting import XML, page, publish
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.warcs import warc

NOW = datetime.now(UTC)
OLD = (NOW - timedelta(days=300)).date().isoformat()
NEXT = (NOW - timedelta(days=299)).date().isoformat()
TRUCE = "دعا المبعوث الأممي إلى ليبيا طرفي القتال في سرت إلى هدنة إنسانية فورية. "
RECORDS = [
    {"url": "https://one.example/a", "title": "المبعوث الأممي يدعو إلى هدنة إنسانية في سرت",
     "text": TRUCE + "وقال المبعوث إن المدنيين في سرت يحتاجون إلى المساعدة.", "date": OLD},
    {"url": "https://two.example/b", "title": "دعوة أممية إلى هدنة إنسانية في مدينة سرت",
     "text": TRUCE + "وأضاف بيان البعثة أن الطرق إلى المدينة مقطوعة منذ أسبوع.", "date": NEXT},
    {"url": "https://two.example/c", "title": "افتتاح معرض الكتاب", "text": "افتتح الوزير المعرض.",
     "date": OLD},
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.chdir(tmp_path)
    return open_log(f"sqlite://{tmp_path}/rasid.db", clock=lambda: datetime.now(UTC))


def rasid(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["rasid", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger()


def work_off(log: Log, flagger: Flagger) -> str:
    """Let the stages read all there is; what the receiver at the terminal was told."""
    registry, out, stop = CollectorRegistry(), io.StringIO(), threading.Event()
    metrics = StageMetrics(registry)
    processor = Processor(
        log.stage("process", reads=READS), lambda: flagger, clock=lambda: NOW, registry=registry,
        metrics=metrics,
    )  # fmt: skip
    processor.load()
    alerting = AlertStage(
        log.stage("alert", reads=(ALERTS, FLAGS)), [Receiver("here", TerminalOptions())],
        Route("here"), max_age_s=86_400, clock=lambda: NOW, registry=registry, metrics=metrics,
        out=out,
    )  # fmt: skip
    threads = [threading.Thread(target=stage.run, args=(stop,)) for stage in (processor, alerting)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while True:  # until the stages have caught up, and what is due was sent
        lag = {stage: sum(behind.values()) for stage, behind in log.lag().items()}
        due = sum(info.due or 0 for info in log.topics())
        if {"process", "alert"} <= lag.keys() and not any(lag.values()) and not due:
            break
        assert time.monotonic() < deadline, "the stages did not read all"
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join(10)
    return out.getvalue()


def test_it_is_flagged_and_joined_by_when_it_was_published_and_nobody_is_told(
    log: Log,
    flagger: Flagger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(record) for record in RECORDS]
    path.write_text("\n".join([*lines, "torn"]))
    assert rasid(monkeypatch, "backfill", str(path), "--json") == 1
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "read": 4, "written": 3, "met": 0, "older": 0, "failed": 0, "bad": 1,
    }  # fmt: skip
    assert f"rasid: {path}:4: no JSON" in told.err
    assert work_off(log, flagger) == ""
    reports = [decode(Report, m.value) for m in log.read(FLAGS)]
    assert [(r.url[-1], r.backfill) for r in reports] == [("a", True), ("b", True)]
    (story,) = [decode(Story, m.value) for m in log.read(STORIES)]
    assert [(a.url[-1], a.decision) for a in story.articles] == [
        ("a", "backfill"), ("b", "backfill"),
    ]  # fmt: skip
    assert (story.alerted, story.independent) == (False, 2)
    assert list(log.read(ALERTS)) == []
    path.write_text("\n".join(lines))
    assert rasid(monkeypatch, "backfill", str(path)) == 0
    assert capsys.readouterr().out == "3 read, 0 written, 3 known already\n"


def test_alerts_that_were_asked_for_come_however_old_it_is(
    log: Log, flagger: Flagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(RECORDS[0]))
    assert rasid(monkeypatch, "backfill", "--alert", str(path)) == 0
    assert str(RECORDS[0]["title"]) in work_off(log, flagger)
    assert [decode(Alert, m.value).kind for m in log.read(ALERTS)] == ["opened"]


def test_sitemaps_are_fetched_and_warcs_extracted_by_the_processes_that_parse(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rasid.yaml").write_text(
        "collect: {allow_networks: [127.0.0.0/8], site_delay: 0s, processes: 1}\n"
    )
    crawled = ("https://two.example/w", "200 OK", "text/html", page("خبر من الأرشيف"))
    (tmp_path / "crawl.warc.gz").write_bytes(warc(crawled))
    with ScriptedServer() as server:
        publish(server, "a")
        listed = f"<urlset><url><loc>{server.base}/a</loc></url></urlset>"
        index = f"<sitemapindex><sitemap><loc>{server.base}/1.xml.gz</loc></sitemap></sitemapindex>"
        server.answers["/index.xml"] = (200, XML, index.encode())
        server.answers["/1.xml.gz"] = (200, {}, gzip.compress(listed.encode()))
        ended = rasid(monkeypatch, "backfill", f"{server.base}/index.xml", "crawl.warc.gz")
    assert (ended, capsys.readouterr().out) == (0, "2 read, 2 written\n")
    titles = {decode(Article, m.value).title for m in log.read(BACKFILL)}
    assert titles == {"عنوان a", "خبر من الأرشيف"}


def test_what_makes_no_sense_is_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rasid(monkeypatch, "backfill") == 2
    assert rasid(monkeypatch, "backfill", "none.jsonl") == 1
    assert "none.jsonl: No such file or directory" in capsys.readouterr().err
    assert rasid(monkeypatch, "backfill", "--since", "yesterday", "none.jsonl") == 2
