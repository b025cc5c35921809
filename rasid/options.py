"""The configuration as the rooms take it: sources, receivers, routes, the log, and options."""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alerts.holding import Gate, Limit, Wishes
from alerts.hours import Digest, MuteTime
from alerts.receivers import (
    EmailOptions,
    PushOptions,
    Receiver,
    SlackOptions,
    TerminalOptions,
    WebhookOptions,
)
from alerts.render import Manner
from alerts.routing import Match, Route
from collectors.catalogue import Feed, Source, load_catalogue, select
from collectors.options import CollectOptions
from rasid.config import Config, ReceiverPart, RoutePart
from streams import records
from streams.carriers import open_log
from streams.kafka_options import Security
from streams.log import Log
from streams.metrics import LogMetrics


def log_url(config: Config) -> str:
    """The configured log, or rasid.db in the working directory."""
    return config.log or f"sqlite://{Path.cwd() / 'rasid.db'}"


def configured_log(
    config: Config,
    clock: Callable[[], datetime],
    metrics: LogMetrics | None = None,
) -> Log:
    """The log that the configuration names; nothing is opened yet."""
    part = config.kafka
    security = Security(
        tls=part.tls,
        ca=part.ca,
        certificate=part.certificate,
        key=part.key,
        mechanism=part.mechanism,
        user=part.user,
        password=part.password.get_secret_value() if part.password else None,
    )
    return open_log(
        log_url(config), clock=clock, instance=config.instance, security=security, metrics=metrics
    )


def sources(config: Config) -> list[Source]:
    """The sources to poll: those chosen of the catalogue, and the configuration's own."""
    own = [
        Source(
            id=s.id,
            name=s.name or s.id,
            name_latin=s.name_latin,
            language=s.language,
            country=s.country,
            homepage=s.homepage,
            tags=tuple(s.tags),
            feeds=tuple(Feed(url=f.url, interval_s=f.interval, kind=f.kind) for f in s.feeds),
        )
        for s in config.sources
    ]
    names = config.catalogue or (["none"] if own else ["core"])
    mine = {s.id for s in own}
    return [s for s in select(load_catalogue(), names) if s.id not in mine] + own


def operators(config: Config) -> str:
    """The receiver of Rasid's own notices."""
    return config.operators or route(config).receiver


def collect_options(config: Config) -> CollectOptions:
    part = config.collect
    return CollectOptions(
        contact=part.contact,
        site_delay_s=part.site_delay,
        min_interval_s=part.min_interval,
        max_interval_s=part.max_interval,
        allow_networks=tuple(ipaddress.ip_network(n) for n in part.allow_networks),
        processes=part.processes,
    )


def receivers(config: Config) -> list[Receiver]:
    return [_receiver(part) for part in config.receivers] or [Receiver("here", TerminalOptions())]


def _receiver(part: ReceiverPart) -> Receiver:
    manner = Manner(tuple(dict.fromkeys(part.language)), part.timezone)
    if part.slack:
        s = part.slack
        return Receiver(
            part.name,
            SlackOptions(
                webhook_url=s.webhook_url.get_secret_value() if s.webhook_url else None,
                token=s.token.get_secret_value() if s.token else None,
                channel=s.channel,
                api_url=s.api_url,
            ),
            manner,
        )
    if part.email:
        e = part.email
        smtp = urlsplit(e.smtp.get_secret_value())
        password = e.password.get_secret_value() if e.password else None
        return Receiver(
            part.name,
            EmailOptions(
                sender=e.sender,
                to=tuple(e.to),
                host=smtp.hostname or "",
                port=smtp.port or (465 if e.tls == "implicit" else 587),
                user=unquote(smtp.username) if smtp.username else None,
                password=password or (unquote(smtp.password) if smtp.password else None),
                tls=e.tls,
            ),
            manner,
        )
    if part.webhook:
        secret = part.webhook.secret.get_secret_value() if part.webhook.secret else None
        url = part.webhook.url.get_secret_value()
        return Receiver(part.name, WebhookOptions(url, secret), manner)
    if part.push:
        return Receiver(part.name, PushOptions(part.push.url.get_secret_value()), manner)
    return Receiver(part.name, TerminalOptions(), manner)


def route(config: Config) -> Route:
    if config.route is None:
        return Route(receivers(config)[0].name)
    return _route(config.route)


def _route(part: RoutePart) -> Route:
    m = part.match
    return Route(
        receiver=part.receiver,
        match=Match(
            theme=tuple(m.theme),
            development=tuple(m.development),
            status=tuple(m.status),
            country=tuple(m.country),
            place=tuple(m.place),
            actor=tuple(m.actor),
            source=tuple(m.source),
            language=tuple(m.language),
            min_score=m.min_score,
            min_sources=m.min_sources,
        ),
        routes=tuple(_route(r) for r in part.routes),
        continue_=part.continue_,
        wait_s=part.wait,
        mute=tuple(part.mute) if part.mute is not None else None,
    )


def gate(config: Config) -> Gate:
    """What may hold messages back."""
    wishes = {
        part.name: Wishes(
            limit=Limit(*part.rate_limit) if part.rate_limit else None,
            digest=Digest(part.digest.every, part.digest.at, part.timezone, part.digest.only)
            if part.digest
            else None,
        )
        for part in config.receivers
    }
    mutes = {
        part.name: MuteTime(part.name, tuple(part.weekdays), part.start, part.until, part.timezone)
        for part in config.mute_times
    }
    return Gate(wishes, mutes, Limit(*config.alerts.rule_limit))


def max_ages(config: Config) -> dict[str, float]:
    """Retention by topic and table; feeds and silences are kept."""
    part = config.retention
    return {
        records.ARTICLES: part.articles,
        records.BACKFILL: part.articles,
        records.FLAGS: part.flags,
        records.ALERTS: part.alerts,
        records.DEADLETTERS: part.deadletters,
        records.SETTLED: part.deadletters,
        records.ENTRIES: part.entries,
        records.STORIES: part.stories,
        records.DELIVERIES: part.deliveries,
    }
