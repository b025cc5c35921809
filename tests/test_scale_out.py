"""Three machines' daemons on one Kafka: they share the work, restart one after the other, and
one dies. Every article and every alert comes once."""

import email
import email.policy
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.records import Alert, Article, Delivery, Entry, FeedState
from tests.fakes.newssite import Item, NewsSite
from tests.test_end_to_end import Daemon, count, values, wait_until, written_articles

INSTANCES = ("one", "two", "three")
SITES = 6
TAKEN_OVER_S = 60.0


def configuration(folder: Path, instance: str, url: str, sites: list[NewsSite], mail: int) -> Path:
    """Each site has two feeds that name the same pages."""
    path = folder / f"{instance}.yaml"
    sources = "".join(
        f"  - {{id: site-{k}, feeds: [{{url: '{s.base}/feed.xml', interval: 1s}},"
        f" {{url: '{s.base}/feed.xml?second', interval: 1s}}]}}\n"
        for k, s in enumerate(sites)
    )
    path.write_text(
        f"log: {url}\ninstance: {instance}\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8], processes: 1}\n"
        f"sources:\n{sources}"
        "receivers:\n  - name: editors\n    email: {from: rasid@example.org, "
        f"to: [editors@example.org], smtp: 'smtp://127.0.0.1:{mail}', tls: none}}\n"
        "serve: 127.0.0.1:0\n"
    )
    return path


def test_three_instances_restarted_in_turn_and_one_killed_repeat_and_lose_nothing(
    tmp_path: Path, broker: Brokers
) -> None:
    url = f"{broker.url}/scale-out?partitions=6"
    articles = written_articles()[:120]
    published = datetime.now(UTC) - timedelta(hours=1)
    with ExitStack() as stack:
        sites = [
            stack.enter_context(
                NewsSite(
                    [Item(f"{i}", t, x, published) for i, (t, x) in enumerate(articles[k::SITES])]
                )
            )
            for k in range(SITES)
        ]
        mail = mail_server(tmp_path / "mail")
        stack.callback(mail.stop)
        daemons = []
        for name in INSTANCES:
            config = configuration(tmp_path, name, url, sites, mail.port)
            daemons.append(Daemon(config, tmp_path / f"{name}.log"))
            daemons[-1].start()
            stack.callback(daemons[-1].kill)
        log = stack.enter_context(closing(open_log(url, clock=now)))
        total = len(articles)

        def done(goal: int) -> bool:
            return count(log, records.ARTICLES) >= goal

        # A rolling restart, each instance once something has come since the last.
        for number, daemon in enumerate(daemons):
            wait_until("articles", lambda number=number: done(10 * (number + 1)), daemons[-1])
            assert daemon.end() == 0
            daemon.start()

        wait_until(
            "every page",
            lambda: (
                len(entries := values(log, records.ENTRIES, Entry)) == total
                and not any(e.status == "waiting" for e in entries)
            ),
            daemons[0],
        )
        wait_until(
            "every record to be read",
            lambda: not any(any(lag.values()) for lag in log.lag().values()),
            daemons[0],
        )
        wait_until(
            "every alert to be sent",
            lambda: (
                len(rows := values(log, records.DELIVERIES, Delivery)) == count(log, records.ALERTS)
                and not any(d.status == "pending" for d in rows)
            ),
            daemons[0],
        )
        came: list[Article] = values(log, records.ARTICLES, Article)
        assert sorted(a.linked_url for a in came) == sorted(
            f"{site.base}/articles/{item.slug}" for site in sites for item in site.items
        )
        alerts: list[Alert] = values(log, records.ALERTS, Alert)
        assert alerts
        assert max(Counter(a.id for a in alerts).values()) == 1
        arrived = Counter(
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Message-ID"]
            for path in (tmp_path / "mail").glob("*.eml")
        )
        assert len(arrived) == arrived.total() == len(alerts)

        # One dies for good: all sites are polled by the others within a minute.
        daemons[1].kill()
        died = datetime.now(UTC)
        began = time.monotonic()
        wait_until(
            "every feed to be polled again",
            lambda: all(
                state.last_polled is not None and state.last_polled > died
                for state in values(log, records.FEEDS, FeedState)
            ),
            daemons[0],
        )
        assert time.monotonic() - began < TAKEN_OVER_S
        assert len(values(log, records.FEEDS, FeedState)) == 2 * SITES
        assert count(log, records.ARTICLES) == total
