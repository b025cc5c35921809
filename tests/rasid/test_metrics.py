"""What the daemon tells Prometheus: in its form, within its size, about the right things."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from collectors.catalogue import Feed, Source
from collectors.metrics import CollectMetrics
from collectors.poller import Polled
from collectors.polls import PollDecision
from rasid.app import App
from rasid.config import Config
from rasid.metrics import DaemonMetrics, LogFile
from streams.records import CANARY, FeedState

NOW = datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
MOST_BYTES = 2_000_000


def polled(source: Source, number: int = 0, **state: object) -> Polled:
    feed = source.feeds[number]
    known = FeedState(source=source.id, url=feed.url, site="example.org", **state)  # type: ignore[arg-type]
    return Polled(source, feed, known, "well")


def source(name: str, feeds: int = 1) -> Source:
    urls = tuple(Feed(f"https://{name}.example.org/feed/{n}") for n in range(feeds))
    return Source(id=name, name=name, feeds=urls)


def test_how_a_feed_stands_is_read_off_its_state() -> None:
    registry = CollectorRegistry()
    metrics = CollectMetrics(registry)
    desk = source("desk", feeds=2)
    first = polled(
        desk,
        last_success=NOW,
        last_new=NOW - timedelta(hours=1),
        interval_s=299.7,
        gaps_s=(60.0, 7200.4, 5.0),
    )
    metrics.watch([first, polled(desk, 1)])

    def sample(name: str, feed: str) -> float | None:
        return registry.get_sample_value(f"rasid_feed_{name}", {"source": "desk", "feed": feed})

    assert sample("last_success_timestamp_seconds", "1") == int(NOW.timestamp())
    assert sample("last_new_timestamp_seconds", "1") == int(NOW.timestamp()) - 3600
    assert sample("interval_seconds", "1") == 300
    assert sample("longest_gap_seconds", "1") == 7200
    assert sample("last_success_timestamp_seconds", "2") is None  # not polled yet
    failed = PollDecision(
        FeedState(source="desk", url="u", site="s", well=False, last_success=NOW), NOW, "timeout"
    )
    metrics.count_poll(first, failed)
    assert (
        registry.get_sample_value(
            "rasid_feed_failures_total", {"source": "desk", "feed": "1", "reason": "timeout"}
        )
        == 1
    )
    metrics.watch([])
    assert sample("interval_seconds", "1") is None


def test_a_feed_that_was_never_well_is_told_since_it_was_first_asked() -> None:
    """Else what never worked would be missed by every rule on what no longer does."""
    registry = CollectorRegistry()
    metrics = CollectMetrics(registry)
    day = timedelta(days=1)
    desk = source("desk", feeds=2)
    metrics.watch(
        [
            polled(desk, 0, failing_since=NOW - day, well=False),
            polled(desk, 1, first_polled=NOW - 2 * day, last_success=NOW),  # and lists nothing
        ]
    )

    def ago(name: str, feed: str) -> timedelta:
        told = registry.get_sample_value(f"rasid_feed_{name}", {"source": "desk", "feed": feed})
        assert told is not None
        return timedelta(seconds=int(NOW.timestamp()) - told)

    assert ago("last_success_timestamp_seconds", "1") == day
    assert ago("last_new_timestamp_seconds", "1") == day
    assert ago("last_success_timestamp_seconds", "2") == timedelta(0)
    assert ago("last_new_timestamp_seconds", "2") == 2 * day


def test_the_canary_is_in_no_series_of_feeds() -> None:
    registry = CollectorRegistry()
    metrics = CollectMetrics(registry)
    bird = polled(source(CANARY), last_success=NOW, last_new=NOW, interval_s=20.0, gaps_s=(300.0,))
    before = generate_latest(registry)
    metrics.watch([bird])
    metrics.move_feed(bird, None, "well")
    metrics.count_poll(bird, PollDecision(bird.state, NOW, "entries", new=1))
    assert generate_latest(registry) == before


def test_five_thousand_feeds_cost_at_most_two_megabytes_a_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every feed known in full, one in five failing for two reasons: an evil day."""
    monkeypatch.chdir(tmp_path)
    app = App(Config(serve="none"))
    assert app._collector is not None
    metrics = app._collector._metrics
    feeds = [
        polled(
            source(f"newsroom-{n:04}"),
            last_success=NOW,
            last_new=NOW,
            interval_s=1234.0,
            gaps_s=(98765.0,),
            well=n % 5 > 0,
        )
        for n in range(5000)
    ]
    metrics.watch(feeds)
    for feed in feeds[::5]:
        for reason in ("timeout", "server_error"):
            metrics.count_poll(feed, PollDecision(feed.state, NOW, reason))
    text = generate_latest(app.registry)
    assert text.count(b"\nrasid_feed_") == 4 * 5000 + 2 * 1000
    assert len(text) <= MOST_BYTES


@pytest.mark.external
def test_promtool_has_nothing_against_them(
    promtool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = generate_latest(App(Config(serve="none")).registry)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_log_file_and_its_disk_are_told_and_nothing_where_there_is_none(
    tmp_path: Path,
) -> None:
    registry = CollectorRegistry()
    registry.register(LogFile(tmp_path / "rasid.db"))

    def sample(name: str) -> float | None:
        return registry.get_sample_value(f"rasid_log_{name}")

    assert sample("file_bytes") is None
    (tmp_path / "rasid.db").write_bytes(b"x" * 100)
    (tmp_path / "rasid.db-wal").write_bytes(b"x" * 20)
    assert sample("file_bytes") == 120
    free, size = sample("disk_free_bytes"), sample("disk_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free < size
    for path in (None, Path("/nowhere/rasid.db")):
        assert [s for family in LogFile(path).collect() for s in family.samples] == []


def test_a_stage_is_told_as_it_is_when_asked() -> None:
    registry = CollectorRegistry()
    ready = {"collect": False}
    DaemonMetrics(registry, {"collect": lambda: ready["collect"]}).reloaded(done=False)
    assert registry.get_sample_value("rasid_stage_ready", {"stage": "collect"}) == 0
    ready["collect"] = True
    assert registry.get_sample_value("rasid_stage_ready", {"stage": "collect"}) == 1
    assert registry.get_sample_value("rasid_reloads_total", {"outcome": "refused"}) == 1
    assert registry.get_sample_value("rasid_reloads_total", {"outcome": "done"}) == 0
