"""The way out: names, proxy, certificates; and the clock, by what the sites say it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from collectors.errors import HINTS
from collectors.proxy import environment_proxies, shown
from rasid.doctor.finding import Finding, Patient
from rasid.doctor.knocks import Knock
from rasid.options import collect_options, configured_log, sources
from streams.errors import LogError
from streams.records import ARTICLES

SLACK: Final = timedelta(minutes=1)  # servers' own clocks differ by seconds
WRONG: Final = timedelta(minutes=10)
_PROXY = (
    "if this machine reaches the web by a proxy only, set HTTPS_PROXY and HTTP_PROXY in Rasid's"
    " environment"
)
_ALL_FAIL: Final = {  # when nothing answers, the reason is here and not there
    "dns": ("no name is known", f"look at /etc/resolv.conf and the name server; {_PROXY}"),
    "refused": ("no connection", f"look at the network and the firewall; {_PROXY}"),
    "timeout": ("no connection", f"look at the network and the firewall; {_PROXY}"),
    "disconnected": ("no answer", f"look at the firewall; {_PROXY}"),
    "tls": (
        "no certificate is trusted",
        "look at this machine's clock, at its CA certificates (package ca-certificates,"
        " SSL_CERT_FILE), and whether a proxy on the way opens what is encrypted",
    ),
}


def network(patient: Patient) -> Iterator[Finding]:
    """Whether sites can be reached, of those that are polled a few."""
    by = ", ".join(sorted({shown(proxy) for proxy in environment_proxies().values()}))
    by = f" by the proxy {by}" if by else ""
    config = patient.config
    knocks = patient.knocks.at(sources(config), collect_options(config), patient.clock)
    if not knocks:
        yield Finding("network", "ok", "no feeds, so nobody is asked")
        return
    failed = [knock for knock in knocks if knock.error is not None]
    if len(failed) < len(knocks):
        answered = len(knocks) - len(failed)
        yield Finding("network", "ok", f"{answered} of {len(knocks)} sites asked{by} answer")
    elif found := _common(failed):
        yield found
        return
    for knock in failed:
        assert knock.error is not None
        yield Finding("network", "warning", str(knock.error), HINTS[knock.error.reason])


def _common(failed: Sequence[Knock]) -> Finding | None:
    """What all failures have in common, when that says more than each of them."""
    by_reason = defaultdict(list)
    for knock in failed:
        if knock.error is not None:
            by_reason[knock.error.reason].append(knock.error)
    reason, errors = max(by_reason.items(), key=lambda item: len(item[1]))
    said = f"none of {len(failed)} sites asked can be reached"
    example = str(errors[0])
    if reason == "proxy":
        return Finding("network", "wrong", f"{said}: {example}", HINTS["proxy"])
    if reason not in _ALL_FAIL:
        return None
    what, todo = _ALL_FAIL[reason]
    return Finding("network", "wrong", f"{said}: {what} ({example})", todo)


def clock(patient: Patient) -> Iterator[Finding]:
    """Our clock against the sites', and against what the log was written at."""
    newest = _newest(patient)
    ahead = [knock.ahead for knock in _told(patient) if knock.ahead is not None]
    yield judge_clock(patient.clock(), ahead, newest)


def judge_clock(now: datetime, ahead: Sequence[timedelta], newest: datetime | None) -> Finding:
    """`ahead`: how far our clock is before that of each site asked; `newest`: when the log's
    newest article was written, by our clock of then."""
    todo = "set the clock, and let it be kept right: timedatectl set-ntp true"
    if ahead:
        usual = timedelta(seconds=median(each.total_seconds() for each in ahead))
        where = "ahead of" if usual > timedelta(0) else "behind"
        said = f"the clock ({now:%Y-%m-%d %H:%M} UTC) is {_span(abs(usual))} {where} the sites'"
        if abs(usual) >= WRONG:
            return Finding("clock", "wrong", said, todo)
        if abs(usual) >= SLACK:
            return Finding("clock", "warning", said, todo)
    if newest is not None and newest - now >= SLACK:
        return Finding(
            "clock", "wrong" if newest - now >= WRONG else "warning",
            f"the clock ({now:%Y-%m-%d %H:%M} UTC) is {_span(newest - now)} before the newest"
            " article in the log was written: it is wrong now, or was then",
            todo,
        )  # fmt: skip
    if not ahead:
        return Finding(
            "clock", "warning",
            f"the clock ({now:%Y-%m-%d %H:%M} UTC) could not be compared: no site tells the time",
            "compare it with another",
        )  # fmt: skip
    return Finding("clock", "ok", f"within {_span(SLACK)} of what {len(ahead)} sites say")


def _told(patient: Patient) -> Sequence[Knock]:
    config = patient.config
    return patient.knocks.at(sources(config), collect_options(config), patient.clock)


def _newest(patient: Patient) -> datetime | None:
    """Of a log that can be read; another check tells why one cannot."""
    with (
        suppress(LogError, KeyError),
        closing(configured_log(patient.config, patient.clock)) as log,
    ):
        ends = {info.name: info.end_offset for info in log.topics() if info.partitions == 1}
        if end := ends.get(ARTICLES):
            return max((m.time for m in log.read(ARTICLES, max(0, end - 1))), default=None)
    return None


def _span(span: timedelta) -> str:
    """`3 days`, in the largest unit that it has one of."""
    seconds = span.total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= length or unit == "second":
            count = round(seconds / length)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    raise AssertionError
