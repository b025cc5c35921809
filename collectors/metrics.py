"""What collecting tells Prometheus, beside what every stage does."""

from collections import Counter as Tally
from contextlib import AbstractContextManager, nullcontext

from prometheus_client import CollectorRegistry, Counter, Gauge

from collectors.articles import Settlement
from collectors.polls import PollDecision
from streams.metrics import StageMetrics

STAGE = "collect"
STATES = ("waiting", "well", "failing", "dead")


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
        for kind in ("new", "changed", "skipped"):
            self.entries.labels(kind)

    def begin_feeds(self) -> None:
        """Count feeds from none on."""
        self._states.clear()
        for state in STATES:
            self.feeds.labels(state).set(0)

    def move_feed(self, before: str | None, after: str) -> None:
        """A feed went from one state to another; from None when it is new here."""
        if before == after:
            return
        if before is not None:
            self._states[before] -= 1
            self.feeds.labels(before).set(self._states[before])
        self._states[after] += 1
        self.feeds.labels(after).set(self._states[after])

    def count_poll(self, decision: PollDecision) -> None:
        """After its commit."""
        self.polls.labels(decision.outcome).inc()
        counts = {"new": decision.new, "changed": decision.changed, "skipped": decision.skipped}
        for kind, count in counts.items():
            if count:
                self.entries.labels(kind).inc(count)
        if self._stage is not None and decision.new + decision.changed:
            self._stage.records_in.labels(STAGE).inc(decision.new + decision.changed)

    def page_seconds(self) -> AbstractContextManager[object]:
        """Times a look at a page: pace, fetching, extraction."""
        return nullcontext() if self._stage is None else self._stage.seconds.labels(STAGE).time()

    def count_page(self, settled: Settlement, failure: str | None) -> None:
        """After its commit; `failure` is why there is no page, if there is none."""
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
