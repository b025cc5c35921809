"""Brokers, rules, the burden of the feeds, and the daemon beside us."""

import http.client
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from collectors.catalogue import Source
from collectors.options import CollectOptions
from collectors.urls import site_of
from processors.flagger import load_flagger
from rasid.config import serve_address
from rasid.doctor.finding import Finding, Patient
from rasid.options import collect_options, configured_log, log_url, sources
from streams.carriers import log_file
from streams.errors import LogError

MANY: Final = 5000  # feeds: more than that was never measured over days
NAMED: Final = 3
ANSWER_S: Final = 3.0


def broker(patient: Patient) -> Iterator[Finding]:
    """Whether a Kafka answers, lets us in, and has topics as they must be."""
    if log_file(log_url(patient.config)) is not None:
        return
    with closing(configured_log(patient.config, patient.clock)) as log:
        try:
            problems = log.problems()
        except LogError as error:
            said, _, todo = str(error).partition("; ")
            fresh = error.reason == "missing"
            yield Finding("broker", "ok" if fresh else "wrong", said, todo)
            return
        for problem in problems:
            said, _, todo = problem.partition("; ")
            yield Finding("broker", "wrong", said, todo or "`rasid run` makes what is missing")
        if not problems:
            behind = sum(sum(lag.values()) for lag in log.lag().values())
            yield Finding("broker", "ok", f"answers; all topics are there, {behind:,} wait")


def rules(patient: Patient) -> Iterator[Finding]:
    """Whether all rules can be loaded, the bundled ones and one's own. RuleError says what is
    wrong."""
    flagger = load_flagger(patient.config.rules)
    count = sum(len(theme.rules) for book in flagger.books.values() for theme in book.themes)
    yield Finding("rules", "ok", f"{count} rules, in {', '.join(flagger.books)}")


def feeds(patient: Patient) -> Iterator[Finding]:
    """Whether what is to be polled can be, at the pace that sites are owed."""
    found = list(burden(sources(patient.config), collect_options(patient.config)))
    if found:
        yield from found
        return
    urls = [feed.url for source in sources(patient.config) for feed in source.feeds]
    sites = len({site_of(url) for url in urls})
    yield Finding("feeds", "ok", f"{len(urls):,} feeds on {sites:,} sites")


def burden(polled: Sequence[Source], options: CollectOptions) -> Iterator[Finding]:
    """What is too much, with the figures."""
    feeds = [feed.url for source in polled for feed in source.feeds]
    by_site = Counter(site_of(url) for url in feeds)
    late = [
        (site, count)
        for site, count in by_site.most_common()
        if count * options.site_delay_s > options.max_interval_s
    ]
    for site, count in late[:NAMED]:
        yield Finding(
            "feeds", "warning",
            f"{site}: {count:,} feeds at one request in {options.site_delay_s:g} s take"
            f" {count * options.site_delay_s / 3600:.1f} h, longer than `collect.max_interval`:"
            " each will be late",
            "poll fewer of them, or agree on a shorter `collect.site_delay` with its webmaster",
        )  # fmt: skip
    if len(late) > NAMED:
        yield Finding("feeds", "warning", f"{len(late) - NAMED} more sites like these", "as above")
    repeated = [url for url, count in Counter(feeds).items() if count > 1]
    if repeated:
        shown = ", ".join(repeated[:NAMED]) + (" …" if len(repeated) > NAMED else "")
        yield Finding(
            "feeds", "warning", f"{len(repeated):,} feeds are named by several sources: {shown}",
            "each is polled once, and its articles are of the source named first",
        )  # fmt: skip
    if len(feeds) > MANY:
        rate = len(feeds) / options.min_interval_s
        yield Finding(
            "feeds", "warning",
            f"{len(feeds):,} feeds on {len(by_site):,} sites: up to {rate:.0f} polls a second, and"
            f" {len(feeds) * options.spread_s:.0f} s until each was asked once",
            "watch how busy it is; raise `collect.min_interval`, or share them among machines"
            " by Kafka",
        )  # fmt: skip


def daemon(patient: Patient) -> Iterator[Finding]:
    """What a daemon says that serves where the configuration has it."""
    if patient.config.serve == "none":
        yield Finding("daemon", "ok", "`serve: none`: a daemon would not answer, so none is asked")
        return
    host, port = serve_address(patient.config.serve)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 — asked, not bound
    shown = f"[{host}]" if ":" in host else host
    try:
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"http://{shown}:{port}/readyz", timeout=ANSWER_S) as answer:
            mine = answer.read(200) == b"ready\n"
    except HTTPError as error:
        if error.code != 503:
            mine = False
        else:
            for line in error.read(10_000).decode("utf-8", "replace").splitlines():
                yield Finding("daemon", "wrong", f"it runs and is not able: {line}", "see its log")
            return
    except (OSError, http.client.HTTPException):
        yield Finding("daemon", "ok", f"none answers at {shown}:{port}")
        return
    if mine:
        yield Finding("daemon", "ok", f"runs, and says it is able ({shown}:{port})")
    else:
        yield Finding(
            "daemon", "wrong", f"another program answers at {shown}:{port}",
            "give `serve:` another port",
        )  # fmt: skip
