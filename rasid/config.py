"""The configuration's keys: their types, defaults and meanings.

The reference in docs/configuration.md is generated from these. Secrets are held as
SecretStr. A type here judges one value; what keys say of each other is judged in
`rasid.configchecks`, so that all of it is told at once. `rasid.configfile` reads the file.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

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


class Terminal(Part):
    """Alerts on standard output."""


class ReceiverPart(Part):
    name: str = Field(min_length=1, description="What routes call it.")
    slack: Slack | None = Field(None, description="To a Slack channel.")
    email: Email | None = Field(None, description="By mail.")
    terminal: Terminal | None = Field(None, description="On standard output: `terminal: {}`.")


class MatchPart(Part):
    """All that are given must hold of one flag; each list matches any of its words."""

    theme: list[Literal["ceasefire", "oil_field", "foreign_force"]] = Field(
        [], description="ceasefire, oil_field, foreign_force."
    )
    development: Words = Field([], description="As violated, attacked, deployed.")
    country: Words = Field([], description="Where it happens, ISO codes.")
    source: Words = Field([], description="Source ids.")
    language: Words = Field([], description="ISO codes.")
    min_score: float | None = Field(None, ge=0, le=1, description="Flags at least so certain.")

    @model_validator(mode="before")
    @classmethod
    def _single_theme(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("theme"), str):
            return {**value, "theme": [value["theme"]]}
        return value


class RoutePart(Part):
    receiver: str = Field(description="A receiver's name.")
    match: MatchPart = Field(MatchPart(), description="Absent: matches all.")
    routes: list["RoutePart"] = Field([], description="Tried first, in order.")
    continue_: bool = Field(False, alias="continue", description="Try the next route too.")


class AlertsPart(Part):
    max_age: Duration = Field(86400.0, description="Older news is recorded and flagged only.")


class Retention(Part):
    """How long committed records and finished rows are kept."""

    articles: Duration = Field(30 * 86400.0, description="Article texts.")
    flags: Duration = Field(90 * 86400.0, description="Reports.")
    alerts: Duration = Field(90 * 86400.0, description="The ledger of messages due.")
    deadletters: Duration = Field(90 * 86400.0, description="What could not be handled.")
    entries: Duration = Field(365 * 86400.0, description="What became of each feed entry.")
    stories: Duration = Field(90 * 86400.0, description="Stories.")
    deliveries: Duration = Field(90 * 86400.0, description="Finished deliveries.")


class Config(Part):
    log: str = Field("", description="sqlite:// and an absolute path; ./rasid.db unless given.")
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
    alerts: AlertsPart = Field(AlertsPart(), description="When a flag is worth a message.")
    retention: Retention = Field(Retention(), description="How long things are kept.")
    serve: str = Field(
        "127.0.0.1:9464", description="Where /metrics, /healthz and /readyz answer; none: nowhere."
    )

    def secrets(self) -> tuple[str, ...]:
        """Every secret in it, for the log's redaction."""
        found: list[SecretStr | None] = []
        for receiver in self.receivers:
            if receiver.slack:
                found += [receiver.slack.webhook_url, receiver.slack.token]
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
