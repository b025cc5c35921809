"""The process stage over a real SQLite log."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from processors.flagger import Flagger, load_flagger
from processors.processor import READS, Processor, credited
from streams.log import Transaction
from streams.metrics import StageMetrics
from streams.records import ARTICLES, BACKFILL, DEADLETTERS, FLAGS, Article, Report, decode, encode
from streams.sqlite import SqliteLog

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
TRUCE = "أعلنت الأمم المتحدة، الأربعاء، أن الطرفين اتفقا على هدنة إنسانية في تعز مدتها أسبوع."


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


def article(name: str, text: str, revision: int = 1) -> Article:
    return Article(
        id=name, revision=revision, url=f"https://example.org/{name}", linked_url="", source="s",
        source_name="صحيفة", feed="f", title="", text=text, language="ar", seen=NOW, fetched=NOW,
        text_hash="h",
    )  # fmt: skip


def run(
    tmp_path: Path,
    flagger: Flagger,
    written: list[tuple[str, bytes]],
    registry: CollectorRegistry | None = None,
) -> list[Report]:
    log = SqliteLog(tmp_path / "log.db", clock=lambda: NOW)
    writer = log.stage("collect")
    assert writer.acquire(1)
    tx = Transaction()
    for i, (topic, value) in enumerate(written):
        tx.append(topic, str(i), value)
    writer.commit(tx)
    registry = registry or CollectorRegistry()
    stage = log.stage("process", reads=READS)
    processor = Processor(
        stage, lambda: flagger, clock=lambda: NOW, registry=registry, metrics=StageMetrics(registry)
    )
    processor.load()
    assert stage.acquire(1)
    while processor.step(0):
        pass
    reports = [decode(Report, message.value) for message in log.read(FLAGS)]
    dead = len(list(log.read(DEADLETTERS)))
    assert dead == sum(value == b"{" for _, value in written)
    stage.close()
    writer.close()
    log.close()
    return reports


def test_an_article_with_a_development_becomes_a_report(tmp_path: Path, flagger: Flagger) -> None:
    (report,) = run(tmp_path, flagger, [(ARTICLES, encode(article("a", TRUCE)))])
    assert (report.article_id, report.rules, report.backfill) == ("a", flagger.digest, False)
    assert {(f.theme, f.development) for f in report.flags} == {("ceasefire", "agreed")}
    assert report.sketch


def test_what_fired_is_counted_by_rule_and_country(tmp_path: Path, flagger: Flagger) -> None:
    registry = CollectorRegistry()
    (report,) = run(tmp_path, flagger, [(ARTICLES, encode(article("a", TRUCE)))], registry)
    (flag,) = report.flags
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.value and sample.name.endswith("_total")
        if family.name.startswith(("rasid_rules", "rasid_flags"))
    }
    assert samples == {
        ("rasid_flags_total", "ceasefire", "agreed"): 1,
        ("rasid_flags_by_country_total", "ceasefire", "YE"): 1,
        ("rasid_rules_fired_total", flag.rule): 1,
    }
    rules = {r.id for book in flagger.books.values() for t in book.themes for r in t.rules}
    series = {
        sample.labels["rule"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "rasid_rules_fired_total"
    }
    assert series == rules  # at zero from the start, so that a first firing is an increase


def test_without_flags_only_a_later_revision_is_reported(tmp_path: Path, flagger: Flagger) -> None:
    quiet = "فاز الفريق بثلاثة أهداف في المباراة النهائية."
    reports = run(
        tmp_path,
        flagger,
        [(ARTICLES, encode(article("a", quiet))), (ARTICLES, encode(article("b", quiet, 2)))],
    )
    assert [(r.article_id, r.flags) for r in reports] == [("b", ())]


def test_backfill_is_marked_and_a_torn_record_costs_only_itself(
    tmp_path: Path, flagger: Flagger
) -> None:
    (report,) = run(tmp_path, flagger, [(ARTICLES, b"{"), (BACKFILL, encode(article("c", TRUCE)))])
    assert report.backfill


@pytest.mark.parametrize(
    ("text", "agency"),
    [
        ("طرابلس (رويترز) - قالت مصادر", "reuters"),
        ("أنقرة / الأناضول\nقالت", "anadolu"),
        ("باريس (أ ف ب) قال", "afp"),
        ("قال شهود إن القتال توقف", None),
    ],
)
def test_the_agency_a_text_credits(text: str, agency: str | None) -> None:
    assert credited(text) == agency
