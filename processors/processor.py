"""The process stage: an Article in, its Report out.

    rasid.articles, then rasid.articles.backfill | flag | Report → rasid.flags

A Report is written when there are flags, and for every later revision: one without flags
takes earlier ones back. Decisions are the flagger's; reading, retries, dead letters and
commits are the worker's.
"""

import re
import threading
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from processors.atlas import Atlas
from processors.flagger import Document, Flagger
from processors.happened import dated
from processors.lead import Lead, read_lead
from processors.sketch import sketch
from streams.log import Clock, Message, Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import (
    ARTICLES,
    BACKFILL,
    CANARY,
    DEVELOPMENTS,
    FLAGS,
    THEMES,
    Article,
    Flag,
    Report,
    decode,
    encode,
)
from streams.worker import Worker

READS: Final = (ARTICLES, BACKFILL)
NOWHERE: Final = "none"  # the country, in metrics, of a flag that names none

# «بيروت – رويترز», «المصدر: الأناضول», "(Reuters)", in the first lines or the last.
_AGENCIES: Final = {
    "reuters": r"رويترز|\bReuters\b",
    "afp": r"فرانس ?برس|أ\.? ?ف\.? ?ب\.?(?=[\s)»,،:])|\bAFP\b",
    "ap": r"أسوشيتد ?برس|اسوشيتد ?برس|أ\.? ?ب\.?(?=[\s)»,،:])|\bAssociated Press\b",
    "dpa": r"د\.? ?ب\.? ?أ\.?(?=[\s)»,،:])|الألمانية للأنباء|\bdpa\b",
    "anadolu": r"الأناضول|الاناضول|\bAnadolu\b",
    "sputnik": r"سبوتنيك|\bSputnik\b",
    "tass": r"وكالة تاس|\bTASS\b",
    "xinhua": r"شينخوا|\bXinhua\b",
    "spa": r"(?<!\w)واس(?!\w)",
    "sana": r"وكالة سانا|«سانا»",
    "saba": r"وكالة سبأ|سبأ نت|«سبأ»",
    "efe": r"(?<!\w)إفي(?!\w)",
}
_CREDIT: Final = re.compile("|".join(f"(?P<{k}>{v})" for k, v in _AGENCIES.items()))
_DATELINE_CHARS: Final = 120


def credited(text: str) -> str | None:
    """The agency a text credits in its dateline or its last line."""
    last = text.rstrip().rpartition("\n")[2]
    for part in (text[:_DATELINE_CHARS], last if len(last) <= _DATELINE_CHARS else ""):
        match = _CREDIT.search(part)
        if match:
            return match.lastgroup
    return None


_NO_LEAD: Final = Lead()


def report(
    article: Article,
    flags: list[Flag],
    digest: str,
    *,
    lead: Lead = _NO_LEAD,
    backfill: bool = False,
) -> Report:
    """All an alert needs of an article."""
    return Report(
        article_id=article.id,
        revision=article.revision,
        url=article.url,
        title=article.title,
        source=article.source,
        source_name=article.source_name,
        language=article.language,
        country=article.country,
        published=article.published,
        seen=article.seen,
        first_poll=article.first_poll,
        backfill=backfill,
        alerts=backfill and article.alerts,
        sketch=sketch(article.text),
        credited=credited(article.text),
        rules=digest,
        flags=tuple(
            dated(flag, article.title, article.text, article.published, article.country)
            for flag in flags
        ),
        words=lead.words,
        countries=lead.countries,
        places=lead.places,
        passing=lead.passing,
    )


def document_of(article: Article) -> Document:
    """What the flagger reads of an article; replay reads the same."""
    return Document(
        title=article.title,
        text=article.text,
        language=article.language,
        source=article.source,
        source_country=article.country,
        published=article.published,
    )


class Processor:
    """Drives the stage. `load` comes before everything else; `reload` may be called from
    another thread."""

    def __init__(
        self,
        stage: Stage,
        load: Callable[[], Flagger],
        *,
        clock: Clock,
        registry: CollectorRegistry,
        metrics: StageMetrics,
    ) -> None:
        self._load = load
        self._flagger: Flagger | None = None
        self._atlas = Atlas()
        self._flags = Counter(
            "rasid_flags", "Flags found, by theme and development.", ["theme", "development"],
            registry=registry,
        )  # fmt: skip
        self._countries = Counter(
            "rasid_flags_by_country",
            "Flags found, by theme and where it happens: a flag of two countries counts in both,"
            " one of none as none.",
            ["theme", "country"],
            registry=registry,
        )
        self._fired = Counter(
            "rasid_rules_fired", "Flags found, by the rule that fired.", ["rule"], registry=registry
        )
        self._seconds = Histogram(
            "rasid_flagging_seconds",
            "Time to flag one article.",
            registry=registry,
            buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0),
        )
        for theme in THEMES:
            for development in DEVELOPMENTS[theme]:
                self._flags.labels(theme, development)
            for country in (*self._atlas.countries, NOWHERE):
                self._countries.labels(theme, country)
        self._worker = Worker(
            stage, dict.fromkeys(READS, self._handle), clock=clock, metrics=metrics
        )

    def load(self) -> None:
        """Load the rules, which takes a second or two. Raises RuleError."""
        self.reload(self._load())

    @property
    def ready(self) -> bool:
        return self._worker.ready

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set (see streams.worker)."""
        self._worker.run(stop)

    def step(self, timeout_s: float) -> int:
        """One round of the worker: for tests and tools that drive it themselves."""
        return self._worker.step(timeout_s)

    @property
    def rules(self) -> str:
        """The digest of the rules at work."""
        return self._flagger.digest if self._flagger else ""

    def reload(self, flagger: Flagger) -> None:
        """Flag with other rules from the next article on."""
        self._flagger = flagger
        for book in flagger.books.values():
            for theme in book.themes:
                for rule in theme.rules:
                    self._fired.labels(rule.id)  # at zero until it fires

    def _handle(self, message: Message, tx: Transaction) -> None:
        article = decode(Article, message.value)
        flagger = self._flagger
        assert flagger is not None, "not loaded"
        document = document_of(article)
        with self._seconds.time():
            flags = flagger.flag(document)
        if not flags and article.revision <= 1:
            return
        for flag in flags if article.source != CANARY else ():
            self._flags.labels(flag.theme, flag.development).inc()
            self._fired.labels(flag.rule).inc()
            for country in flag.countries or (NOWHERE,):
                self._countries.labels(flag.theme, country).inc()
        book = flagger.book(document)
        lead = read_lead(document, book, self._atlas) if flags else _NO_LEAD
        made = report(article, flags, flagger.digest, lead=lead, backfill=message.topic == BACKFILL)
        tx.append(FLAGS, article.id, encode(made))
