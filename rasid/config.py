"""The configuration's keys: their types, defaults and meanings.

The reference in docs/configuration.md is generated from these. Secrets are held as
SecretStr. A type here judges one value; what keys say of each other is judged in
`rasid.configchecks`, so that all of it is told at once. `rasid.configfile` reads the file.
"""

import ipaddress
import re
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from alerts.hours import WEEKDAYS

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
LONGEST_S = 36525 * 86400.0  # a time so far from now can still be told
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(value: object) -> float:
    """`0s`, `5s`, `2m`, `1h`, `1d` as seconds; ValueError otherwise."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no duration: write a number and a unit, as in 5s, 2m, 1h or 1d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST_S:
        raise ValueError("is longer than a hundred years")
    return seconds


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def parse_clock(value: object) -> object:
    """`22:00` as a time of day; YAML reads it as a number of base 60."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(*divmod(value, 60))
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    if isinstance(value, time):
        return value
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("is no time of day: write it as 22:00")
    return time(int(match[1]), int(match[2]))


Clock = Annotated[time, BeforeValidator(parse_clock)]


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("is no network like 127.0.0.0/8") from None
    return value


def _has_host(value: str, *schemes: str) -> bool:
    """Whether it is an address of such a scheme, with a host and a possible port."""
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _web(value: str) -> str:
    if not _has_host(value, "http", "https"):
        raise ValueError("is no http or https address")
    return value


def _secret_web(value: SecretStr) -> SecretStr:
    return SecretStr(_web(value.get_secret_value()))


def _smtp(value: SecretStr) -> SecretStr:
    if not _has_host(value.get_secret_value(), "smtp", "smtps"):
        raise ValueError("is no address like smtp://user@mail.example.org:587")
    return value


def _mail(value: str) -> str:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", value):
        raise ValueError("is no mail address")
    if not value.isascii():  # few servers take more, and a letter that is refused is lost
        raise ValueError("is no mail address of ASCII letters; a domain is written as xn--…")
    return value


def _coded(pattern: str, what: str) -> AfterValidator:
    """A text of this form; `what` says it to a person."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(what)
        return value

    return AfterValidator(check)


Duration = Annotated[float, BeforeValidator(parse_duration)]
Words = Annotated[list[str], BeforeValidator(_list)]
Network = Annotated[str, AfterValidator(_network)]
WebAddress = Annotated[str, AfterValidator(_web)]
SecretWebAddress = Annotated[SecretStr, AfterValidator(_secret_web)]
SmtpAddress = Annotated[SecretStr, AfterValidator(_smtp)]
MailAddress = Annotated[str, AfterValidator(_mail)]
SourceId = Annotated[str, _coded("[a-z0-9][a-z0-9-]*", "is not small letters, digits, hyphens")]
Language = Annotated[str, _coded("[a-z]{2,3}", "is no ISO language code, as ar")]
Country = Annotated[str, _coded("[A-Z]{2}", "is no ISO country code, as LY")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Collect(Part):
    """How feeds and pages are fetched."""

    contact: str = Field("", description="An address for webmasters, put in the User-Agent.")
    site_delay: Duration = Field(5.0, description="Between two requests to one site.")
    min_interval: Duration = Field(120.0, description="No feed is polled more often.")
    max_interval: Duration = Field(3600.0, description="Every feed is polled at least so often.")
    allow_networks: list[Network] = Field(
        [], description="Inside addresses that may be fetched all the same, as 127.0.0.0/8."
    )
    processes: int = Field(2, ge=1, le=64, description="Processes that parse feeds and pages.")


class FeedAddress(Part):
    url: WebAddress = Field(description="http or https.")
    interval: Duration | None = Field(None, description="Polled at this rhythm, whatever it is.")
    kind: Literal["feed", "sitemap"] = Field("feed", description="A feed, or a news sitemap.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value


class OwnSource(Part):
    """A source of your own; one with the id of a bundled source takes its place."""

    id: SourceId = Field(description="Small letters, digits, hyphens.")
    name: str = Field("", description="As alerts show it; the id unless given.")
    name_latin: str = Field("", description="The name in Latin letters.")
    language: Language = Field("ar", description="ISO 639 code.")
    country: Country | None = Field(None, description="ISO 3166 code.")
    homepage: str | None = Field(None, description="Its front page.")
    tags: list[str] = Field([], description="For routes and lists.")
    feeds: list[FeedAddress] = Field(min_length=1, description="Addresses, or mappings as below.")


class Slack(Part):
    """Either `webhook_url`, or `token` and `channel`."""

    webhook_url: SecretWebAddress | None = Field(None, description="An incoming webhook's address.")
    webhook_url_file: Path | None = Field(None, description="A file that holds it.")
    token: SecretStr | None = Field(None, description="A bot token (chat:write).")
    token_file: Path | None = Field(None, description="A file that holds it.")
    channel: str | None = Field(None, description="Channel id or name, with a token.")
    api_url: WebAddress = Field("https://slack.com/api/", description="Slack's API, for a proxy.")


class Email(Part):
    sender: MailAddress = Field(alias="from", description="The From address.")
    to: Annotated[list[MailAddress], BeforeValidator(_list)] = Field(
        min_length=1, description="Recipients."
    )
    smtp: SmtpAddress = Field(description="smtp://user@host:port; secret if it has a password.")
    password: SecretStr | None = Field(None, description="For the user named in `smtp`.")
    password_file: Path | None = Field(None, description="A file that holds it.")
    tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="How to encrypt.")


class Webhook(Part):
    """JSON posted to an address, as docs/alerts.md describes it."""

    url: SecretWebAddress = Field(description="http or https.")
    url_file: Path | None = Field(None, description="A file that holds it.")
    secret: SecretStr | None = Field(None, description="What each message is signed with.")
    secret_file: Path | None = Field(None, description="A file that holds it.")


class Push(Part):
    """Telegram, Teams, Mattermost, Discord, ntfy and others, by Apprise."""

    url: SecretStr = Field(description="As Apprise writes it, such as tgram://token/chat.")
    url_file: Path | None = Field(None, description="A file that holds it.")


class Terminal(Part):
    """Alerts on standard output."""


class DigestPart(Part):
    """Reports that brought no message of their own, as one message."""

    every: Literal["hour", "day"] = Field("day", description="How often.")
    at: Clock = Field(time(8), description="Local time of day; of an hourly one, the minutes.")
    only: bool = Field(False, description="Everything waits for the digest.")


class MuteTimePart(Part):
    """Hours at which routes that name it send nothing; what is due waits for the digest."""

    name: str = Field(min_length=1, description="What routes call it.")
    weekdays: Words = Field([*WEEKDAYS], description="mon, tue, wed, thu, fri, sat, sun.")
    start: Clock = Field(time(0), alias="from", description="Local time, as 22:00.")
    until: Clock = Field(time(0), description="Local time; the next day's where it is earlier.")
    timezone: str = Field("UTC", description="As Africa/Tripoli.")

    @model_validator(mode="after")
    def _known(self) -> "MuteTimePart":
        _check_zone(self.timezone)
        for day in self.weekdays:
            if day not in WEEKDAYS:
                raise ValueError(f"weekdays: {day!r} is none of {', '.join(WEEKDAYS)}")
        return self


def _check_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValueError(f"timezone {name!r} is none, write it as Africa/Tripoli")


def parse_limit(value: object) -> tuple[int, float]:
    """`20/1h` as a number and seconds; ValueError otherwise."""
    match = re.fullmatch(r"(\d{1,6})/(\S+)", value) if isinstance(value, str) else None
    if match is None or int(match[1]) < 1:
        raise ValueError("is no limit: write a number and a time, as in 20/1h")
    return int(match[1]), parse_duration(match[2])


Limit = Annotated[tuple[int, float], BeforeValidator(parse_limit)]


class ReceiverPart(Part):
    name: str = Field(min_length=1, description="What routes call it.")
    slack: Slack | None = Field(None, description="To a Slack channel.")
    email: Email | None = Field(None, description="By mail.")
    webhook: Webhook | None = Field(None, description="As JSON to an address of yours.")
    push: Push | None = Field(None, description="To Telegram, Teams, Discord and others.")
    terminal: Terminal | None = Field(None, description="On standard output: `terminal: {}`.")
    language: list[Literal["ar", "en"]] = Field(
        ["ar", "en"], min_length=1, description="Of the labels: ar, en, or both in that order."
    )
    timezone: str = Field(
        "UTC", description="Of the times shown and of its hours, as Africa/Tripoli."
    )
    rate_limit: Limit | None = Field(
        None, description="At most so many messages in a time, as 20/1h; the rest is a digest."
    )
    digest: DigestPart | None = Field(None, description="When held messages are told, as one.")

    @model_validator(mode="before")
    @classmethod
    def _single_language(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("language"), str):
            return {**value, "language": [value["language"]]}
        return value

    @model_validator(mode="after")
    def _known_zone(self) -> "ReceiverPart":
        _check_zone(self.timezone)
        return self


class MatchPart(Part):
    """All that are given must hold of one flag; each list matches any of its words."""

    theme: Words = Field(
        [], description="ceasefire, oil_field, foreign_force, or one of your own rules."
    )
    development: Words = Field([], description="As violated, attacked, deployed.")
    status: Words = Field([], description="As asserted, reported, denied, expected.")
    country: Words = Field([], description="Where it happens, ISO codes.")
    place: Words = Field([], description="Towns and installations, in Arabic, as flags have them.")
    actor: Words = Field([], description="Forces and groups, as flags have them.")
    source: Words = Field([], description="Source ids.")
    language: Words = Field([], description="ISO codes.")
    min_score: float | None = Field(None, ge=0, le=1, description="Flags at least so certain.")
    min_sources: int | None = Field(
        None, ge=1, description="Stories that so many independent sources tell."
    )


class RoutePart(Part):
    receiver: str = Field(description="A receiver's name.")
    match: MatchPart = Field(MatchPart(), description="Absent: matches all.")
    routes: list["RoutePart"] = Field([], description="Tried first, in order.")
    continue_: bool = Field(False, alias="continue", description="Try the next route too.")
    wait: Duration | None = Field(
        None, description="A story's first message waits so long for more on it; as above: at once."
    )
    mute: Words | None = Field(None, description="Names of mute times; as above: none.")


class CanaryPart(Part):
    """An article of Rasid's own that goes the whole road to a receiver of its own, to prove it
    works; docs/canary.md."""

    every: Duration = Field(
        300.0, ge=1, le=600, description="How often; lost is told when two have not come."
    )


class AlertsPart(Part):
    max_age: Duration = Field(86400.0, description="Older news is recorded and flagged only.")
    rule_limit: Limit = Field(
        (300, 3600.0), description="Most messages of one rule in a time; more is held, and told."
    )


class Retention(Part):
    """How long committed records and finished rows are kept."""

    articles: Duration = Field(30 * 86400.0, description="Article texts.")
    flags: Duration = Field(90 * 86400.0, description="Reports.")
    alerts: Duration = Field(90 * 86400.0, description="The ledger of messages due.")
    deadletters: Duration = Field(90 * 86400.0, description="What could not be handled.")
    entries: Duration = Field(365 * 86400.0, description="What became of each feed entry.")
    stories: Duration = Field(90 * 86400.0, description="Stories.")
    deliveries: Duration = Field(90 * 86400.0, description="Finished deliveries.")


class Kafka(Part):
    """How the brokers of `log: kafka://…` are to be trusted, and who asks."""

    tls: bool = Field(False, description="Encrypt, and check the brokers' certificates.")
    ca: Path | None = Field(None, description="Who signed them, PEM; the system's unless given.")
    certificate: Path | None = Field(None, description="A client certificate, PEM.")
    key: Path | None = Field(None, description="Its key, PEM.")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; unset: not at all."
    )
    user: str | None = Field(None, description="Who logs in.")
    password: SecretStr | None = Field(None, description="For the user.")
    password_file: Path | None = Field(None, description="A file that holds it.")

    @model_validator(mode="after")
    def _whole(self) -> "Kafka":
        if self.mechanism and not (self.user and self.password):
            raise ValueError("mechanism needs user and password")
        if self.user and not self.mechanism:
            raise ValueError("user needs a mechanism, as SCRAM-SHA-512")
        if self.mechanism == "PLAIN" and not self.tls:
            raise ValueError("PLAIN shows the password to everyone on the way: it needs tls: true")
        if (self.ca or self.certificate) and not self.tls:
            raise ValueError("ca and certificate need tls: true")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Config(Part):
    log: str = Field(
        "",
        description="sqlite:// and an absolute path, or kafka://host:9092,host:9092; "
        "./rasid.db unless given.",
    )
    instance: str = Field(
        "",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$",
        description="This machine's name among those that share a Kafka; its host's unless given.",
    )
    kafka: Kafka = Field(Kafka(), description="How to reach a Kafka that asks who one is.")
    collect: Collect = Field(Collect(), description="How feeds and pages are fetched.")
    catalogue: Words = Field(
        [],
        description="Ids or tags of the bundled sources; all | none. "
        "Unless given: core, or none where `sources` are.",
    )
    sources: list[OwnSource] = Field([], description="Sources of your own.")
    rules: list[Path] = Field(
        [], description="Folders of rules of your own, taken up after the bundled ones."
    )
    receivers: list[ReceiverPart] = Field(
        [], description="Whom alerts can go to; a terminal unless given."
    )
    route: RoutePart | None = Field(
        None, description="Who gets what; the first receiver gets all unless given."
    )
    operators: str | None = Field(
        None,
        description="The receiver of Rasid's own notices (a feed unwell, a receiver that refuses); "
        "the first route's unless given.",
    )
    mute_times: list[MuteTimePart] = Field([], description="Hours at which routes are mute.")
    alerts: AlertsPart = Field(AlertsPart(), description="When a flag is worth a message.")
    canary: CanaryPart | None = Field(
        None, description="Prove that all of it works, every few minutes; off unless given."
    )
    retention: Retention = Field(Retention(), description="How long things are kept.")
    serve: str = Field(
        "127.0.0.1:9464", description="Where /metrics, /healthz and /readyz answer; none: nowhere."
    )

    @model_validator(mode="after")
    def _canary_lives(self) -> "Config":
        if self.canary and self.serve == "none":
            raise ValueError("canary: lives at the address of `serve`, which is none")
        return self

    def secrets(self) -> tuple[str, ...]:
        """Every secret in it, for the log's redaction."""
        found: list[SecretStr | None] = [self.kafka.password]
        for receiver in self.receivers:
            if receiver.slack:
                found += [receiver.slack.webhook_url, receiver.slack.token]
            if receiver.webhook:
                found += [receiver.webhook.url, receiver.webhook.secret]
            if receiver.push:
                found += [receiver.push.url]
            if receiver.email:
                found += [receiver.email.password]
                password = urlsplit(receiver.email.smtp.get_secret_value()).password
                found += [SecretStr(password), SecretStr(unquote(password))] if password else []
        return tuple(s.get_secret_value() for s in found if s and s.get_secret_value())


def serve_address(serve: str) -> tuple[str, int]:
    """`127.0.0.1:9464` or `[::1]:9464` as host and port; ValueError otherwise."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})", serve)
    if match is None or int(match[2]) > 65535:
        raise ValueError("is no address like 127.0.0.1:9464")
    return match[1].strip("[]"), int(match[2])
