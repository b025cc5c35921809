"""How well articles are joined into stories, and how fast Reports are decided.

    uv run python benchmarks/stories.py [EVENTS.jsonl] [--errors] [--open N]

Quality: articles of labelled events (one a line: event, title, text, source, source_country,
language, published) are flagged and decided in order of publication. A pair of articles counts
as joined when some story holds both. Unless given, of those in tests/alerts: events, which the
figures of `alerts.joining` were found with, briefs, which they were held against, and dispatches,
bulletins and flashes, which were written after.

Speed, by CPU time: Reports on made events, with N stories open (10,000 unless given), each with a
text of its own or a copy, 60 words drawn as often as words are (Zipf), and mostly a place.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alerts.changes import Decision  # noqa: E402
from alerts.index import StoryIndex  # noqa: E402
from alerts.stories import decide  # noqa: E402
from processors.atlas import Atlas  # noqa: E402
from processors.flagger import Document, Flagger, load_flagger  # noqa: E402
from processors.lead import read_lead  # noqa: E402
from processors.processor import credited  # noqa: E402
from processors.sketch import sketch  # noqa: E402
from streams.records import Flag, Report, decode, encode  # noqa: E402

SETS = ("events", "briefs", "dispatches", "bulletins", "flashes")
EVENTS = [ROOT / "tests" / "alerts" / f"{name}.jsonl" for name in SETS]
DAY_S = 86_400.0


@cache
def _readers() -> tuple[Flagger, Atlas]:
    return load_flagger(check_examples=False), Atlas()


def reports(rows: Iterable[dict[str, Any]]) -> list[Report]:
    """The articles as the process stage would report them."""
    flagger, atlas = _readers()
    made = []
    for n, row in enumerate(rows):
        published = datetime.fromisoformat(row["published"])
        document = Document(row["title"], row["text"], row["language"], row["source"],
                            row.get("source_country"), published)  # fmt: skip
        flags = flagger.flag(document)
        lead = read_lead(document, flagger.book(document), atlas)
        made.append(
            Report(
                article_id=row.get("id") or f"a{n}",
                revision=1,
                url=f"https://{row['source']}.example/{n}",
                title=row["title"],
                source=row["source"],
                source_name=row["source"],
                language=row["language"],
                country=row.get("source_country"),
                published=published,
                seen=published + timedelta(minutes=3),
                sketch=sketch(row["text"]),
                credited=credited(row["text"]),
                flags=tuple(flags),
                words=lead.words,
                countries=lead.countries,
                places=lead.places,
                passing=lead.passing,
            )
        )
    return made


@dataclass(frozen=True)
class Quality:
    """Of pairs of articles: joined rightly, wrongly, and not joined though they should be."""

    right: set[tuple[str, str]]
    wrong: set[tuple[str, str]]
    missed: set[tuple[str, str]]
    decisions: dict[str, Decision]
    index: StoryIndex

    @property
    def precision(self) -> float:
        return len(self.right) / max(1, len(self.right) + len(self.wrong))

    @property
    def recall(self) -> float:
        return len(self.right) / max(1, len(self.right) + len(self.missed))

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def quality(rows: list[dict[str, Any]], made: list[Report]) -> Quality:
    index = StoryIndex()
    decisions = {}
    for report in sorted(made, key=lambda each: each.seen):
        decisions[report.article_id] = decide(index, report, max_age_s=DAY_S)
        for change in decisions[report.article_id].changes:
            index.put(change.story)
    stories = [{story.id for story in index.holding(report.article_id)} for report in made]
    joined, labelled = set(), set()
    for a, b in combinations(range(len(rows)), 2):
        pair = (made[a].article_id, made[b].article_id)
        if stories[a] & stories[b]:
            joined.add(pair)
        if rows[a]["event"] is not None and rows[a]["event"] == rows[b]["event"]:
            labelled.add(pair)
    return Quality(joined & labelled, joined - labelled, labelled - joined, decisions, index)


def independent_right(
    rows: list[dict[str, Any]], made: list[Report], found: Quality
) -> tuple[int, int]:
    """Stories whose number of independent sources is what `copy_of` and `credits` of their
    articles come to, and all stories."""
    by_id = {each.article_id: row for row, each in zip(rows, made, strict=True)}

    def voice(row: dict[str, Any]) -> str:
        while row.get("copy_of") in by_id:
            row = by_id[row["copy_of"]]
        return str(row.get("credits") or row["source"])

    stories = {s.id: s for each in made for s in found.index.holding(each.article_id)}
    right = sum(
        story.independent == len({voice(by_id[a.article_id]) for a in story.articles})
        for story in stories.values()
    )
    return right, len(stories)


def speed(stories: int, count: int = 5_000) -> tuple[float, float]:
    """Reports decided a second of CPU with so many stories open; and Reports read and written
    back by msgspec a second of CPU, which the stage does besides."""
    rng = random.Random(7)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    themes = {"ceasefire": "agreed", "oil_field": "attacked", "foreign_force": "strike"}
    countries = ("LY", "YE", "SY", "IQ", "SD", "LB")
    often = list(accumulate(1 / rank for rank in range(1, 20_001)))

    def report(n: int, event: int, at: datetime, text: tuple[int, ...] | None = None) -> Report:
        theme = list(themes)[event % 3]
        country = countries[event % 6]
        places = (f"{country}/province {event % 20}/place {event // 18}",) if event % 10 else ()
        flag = Flag(
            theme=theme, development=themes[theme], score=0.9, rule="r", spans=(), quote="q",
            countries=(country,), actors=(f"actor {event % 50}",),
        )  # fmt: skip
        told = random.Random(event).choices(range(20_000), cum_weights=often, k=60)
        return Report(
            words=tuple(sorted(set(told))), countries=(country,), places=places,
            article_id=f"a{n}", revision=1, url=f"https://news.example/{n}", title=f"headline {n}",
            source=f"s{n % 60}", source_name="s", language="ar", published=at, seen=at,
            sketch=text or tuple(sorted(rng.sample(range(1 << 53), 100))), flags=(flag,),
        )  # fmt: skip

    index = StoryIndex()
    texts = []
    n = 0
    while len(index) < stories:
        each = report(n, n, now)
        texts.append(each.sketch)
        for change in decide(index, each, max_age_s=DAY_S).changes:
            index.put(change.story)
        n += 1
    due = [
        report(
            n + k, rng.randrange(n), now + timedelta(seconds=k),
            rng.choice(texts)[:60] if k % 3 == 0 else None,
        )
        for k in range(count)
    ]  # fmt: skip
    began = time.process_time()
    for each in due:
        for change in decide(index, each, max_age_s=DAY_S).changes:
            index.put(change.story)
    decided = time.process_time()
    for each in due:
        encode(decode(Report, encode(each)))
    return count / (decided - began), count / (time.process_time() - decided)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="*", type=Path, default=EVENTS)
    parser.add_argument("--errors", action="store_true", help="Name the pairs that are wrong.")
    parser.add_argument("--open", type=int, default=10_000, metavar="N")
    options = parser.parse_args()
    for path in options.events:
        show_quality(path, errors=options.errors)
    rate, peer = speed(options.open)
    print(
        f"{rate:,.0f} Reports/s of CPU with {options.open:,} stories open; msgspec alone, which"
        f" writes, reads and writes one: {peer:,.0f}/s, {peer / rate:.1f} times as many"
    )


def show_quality(path: Path, *, errors: bool) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    made = reports(rows)
    flagged = [(row, report) for row, report in zip(rows, made, strict=True) if report.flags]
    print(f"{path.name}: {len(rows)} articles, {len(rows) - len(flagged)} without a flag")
    found = quality(rows, made)
    only = quality([row for row, _ in flagged], [report for _, report in flagged])
    for what, each in (("all", found), ("flagged", only)):
        print(
            f"pairs, {what}: F1 {each.f1:.3f}, precision {each.precision:.3f}, "
            f"recall {each.recall:.3f} "
            f"({len(each.right)} right, {len(each.wrong)} wrong, {len(each.missed)} missed)"
        )
    if any("copy_of" in row for row in rows):
        right, stories = independent_right(rows, made, found)
        print(f"stories whose number of independent sources is right: {right} of {stories}")
    print(Counter(decision.outcome for decision in found.decisions.values()))
    if errors:
        show_errors(rows, made, found)


def show_errors(rows: list[dict[str, Any]], made: list[Report], found: Quality) -> None:
    by_id = {report.article_id: (row, report) for row, report in zip(rows, made, strict=True)}
    for name, pairs in (("wrong", found.wrong), ("missed", found.missed)):
        worst = Counter(article for pair in pairs for article in pair)
        for article, count in worst.most_common(60):
            row, report = by_id[article]
            flags = [
                (f.theme, f.development, f.status, f.score, *f.countries, *f.places, *f.actors)
                for f in report.flags
            ]
            whys = [
                (c.outcome, a.why)
                for c in found.decisions[article].changes
                for a in c.story.articles
                if a.article_id == article
            ]
            print(f"{name} {count} {article} {row['event']} {row.get('place')} {row['title']}")
            print(f"    {flags}\n    {whys or found.decisions[article].outcome}")


if __name__ == "__main__":
    main()
