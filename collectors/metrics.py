"""What collecting tells Prometheus, beside what every stage does."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from collectors.articles import Settlement
from collectors.errors import ExtractError, FetchError
from collectors.polls import PollDecision
from streams.metrics import StageMetrics
from streams.records import CANARY, FeedState

STAGE = "collect"
STATES = ("waiting", "well", "failing", "dead")
POLLED = ("entries", "no_entries", "unchanged", "not_modified", *FetchError.reasons)
PAGES = (
    "article", "revision", "unchanged", "same_article", "entry_text", "retry", "failed", "gone",
)  # fmt: skip
LOST = FetchError.reasons | ExtractError.reasons


FEED_LABELS = ("source", "feed")


class FeedNow(Protocol):
    """What `FeedSeries` reads of a polled feed."""

    @property
    def state(self) -> FeedState: ...
    @property
    def labels(self) -> tuple[str, str]:
        """The source's id, and the feed's place among its feeds, from 1."""


class FeedSeries(Collector):
    """How each feed stands, read off its state when Prometheus asks, so that thousands of
    feeds cost a poll nothing. A feed that was never well counts from its first failure, so that
    what never worked is told as what no longer does; one not polled yet has no series."""

    def __init__(self) -> None:
        self._feeds: tuple[FeedNow, ...] = ()

    def watch(self, feeds: Iterable[FeedNow]) -> None:
        """Show these feeds from now on, and no others."""
        self._feeds = tuple(feed for feed in feeds if feed.labels[0] != CANARY)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        success = _feed_gauge(
            "last_success_timestamp_seconds",
            "When a feed last answered well; when it was first asked, until it has.",
        )
        new = _feed_gauge(
            "last_new_timestamp_seconds",
            "When a feed last listed a new entry; when it was first asked, until it has.",
        )
        interval = _feed_gauge("interval_seconds", "Time between polls that its rhythm asks for.")
        gap = _feed_gauge(
            "longest_gap_seconds", "Longest time between two of its latest 21 entries."
        )
        for feed in self._feeds:
            state, labels = feed.state, feed.labels
            answered = state.last_success or state.failing_since
            for family, at in (
                (success, answered),
                (new, state.last_new or state.first_polled or answered),
            ):
                if at is not None:
                    family.add_metric(labels, _whole_seconds(at))
            if state.interval_s:
                interval.add_metric(labels, round(state.interval_s))
            if state.gaps_s:
                gap.add_metric(labels, round(max(state.gaps_s)))
        yield from (success, new, interval, gap)


def _feed_gauge(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"rasid_feed_{name}", documentation, labels=FEED_LABELS)


def _whole_seconds(at: datetime) -> int:
    return int(at.timestamp())  # fractions would double the size of the series


class CollectMetrics:
    """Made once for a registry. Labels are words of closed sets: the outcomes of
    `collectors.polls` and `collectors.articles`, and the reasons of `collectors.errors`."""

    def __init__(self, registry: CollectorRegistry, stage: StageMetrics | None = None) -> None:
        self.feeds = Gauge(
            "rasid_feeds", "Feeds polled, by how they are.", ["state"], registry=registry
        )
        self.polls = Counter(
            "rasid_polls", "Polls of feeds, by what came of them.", ["outcome"], registry=registry
        )
        self._series = FeedSeries()
        registry.register(self._series)
        self.feed_failures = Counter(
            "rasid_feed_failures",
            "Polls of a feed that failed, by reason.",
            [*FEED_LABELS, "reason"],
            registry=registry,
        )
        self.entries = Counter(
            "rasid_entries",
            "Entries of feeds that were new, changed, or of no use (skipped).",
            ["kind"],
            registry=registry,
        )
        self.pages = Counter(
            "rasid_pages", "Pages of entries, by what came of them.", ["outcome"], registry=registry
        )
        self.page_failures = Counter(
            "rasid_page_failures",
            "Tries of a page that gave no article, by reason.",
            ["reason"],
            registry=registry,
        )
        self.entries_waiting = Gauge(
            "rasid_entries_waiting", "Entries whose page is still to be fetched.", registry=registry
        )
        self._stage = stage
        if stage is not None:
            stage.begin(STAGE)
        self._states: Tally[str] = Tally()
        for state in STATES:
            self.feeds.labels(state).set(0)
        for metric, words in (
            (self.entries, ("new", "changed", "skipped")),
            (self.polls, POLLED),
            (self.pages, PAGES),
            (self.page_failures, LOST),
        ):
            for word in words:
                metric.labels(word)  # at zero, so that the first of its kind is an increase

    def beat(self) -> None:
        """The stage has come round."""
        if self._stage is not None:
            self._stage.beat(STAGE)

    def begin_feeds(self) -> None:
        """Count feeds from none on."""
        self._states.clear()
        for state in STATES:
            self.feeds.labels(state).set(0)

    def move_feed(self, feed: FeedNow, before: str | None, after: str) -> None:
        """A feed went from one state to another; from None when it is new here."""
        if before == after or feed.labels[0] == CANARY:
            return
        if before is not None:
            self._states[before] -= 1
            self.feeds.labels(before).set(self._states[before])
        self._states[after] += 1
        self.feeds.labels(after).set(self._states[after])

    def watch(self, feeds: Iterable[FeedNow]) -> None:
        """Show how these feeds stand, and no others."""
        self._series.watch(feeds)

    def count_poll(self, feed: FeedNow, decision: PollDecision) -> None:
        """After its commit."""
        if feed.labels[0] == CANARY:
            return
        self.polls.labels(decision.outcome).inc()
        if not decision.state.well:
            self.feed_failures.labels(*feed.labels, decision.outcome).inc()
        counts = {"new": decision.new, "changed": decision.changed, "skipped": decision.skipped}
        for kind, count in counts.items():
            if count:
                self.entries.labels(kind).inc(count)
        if self._stage is not None and decision.new + decision.changed:
            self._stage.records_in.labels(STAGE).inc(decision.new + decision.changed)

    def page_seconds(self) -> AbstractContextManager[object]:
        """Times a look at a page: pace, fetching, extraction."""
        return nullcontext() if self._stage is None else self._stage.seconds.labels(STAGE).time()

    def count_page(self, source: str, settled: Settlement, failure: str | None) -> None:
        """After its commit; `failure` is why there is no page, if there is none."""
        if source == CANARY:
            return
        self.pages.labels(settled.outcome).inc()
        if failure is not None:
            self.page_failures.labels(failure).inc()
        if self._stage is None:
            return
        if settled.article is not None:
            self._stage.records_out.labels(STAGE).inc()
        if failure is not None:
            self._stage.records_failed.labels(STAGE).inc()
        if settled.outcome == "retry":
            self._stage.records_retried.labels(STAGE).inc()
