"""The configuration's keys: their types, defaults and meanings.

The reference in docs/configuration.md is generated from these. Secrets are held as
SecretStr. `rasid.configfile` reads the file and reports what is wrong with it.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(value: object) -> float:
    """`0s`, `5s`, `2m`, `1h`, `1d` as seconds; ValueError otherwise."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no duration: write a number and a unit, as in 5s, 2m, 1h or 1d")
    return float(match[1]) * _SECONDS[match[2]]


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(parse_duration)]
Words = Annotated[list[str], BeforeValidator(_list)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Collect(Part):
    """How feeds and pages are fetched."""

    contact: str = Field("", description="An address for webmasters, put in the User-Agent.")
    site_delay: Duration = Field(5.0, description="Between two requests to one site.")
    min_interval: Duration = Field(120.0, description="No feed is polled more often.")
    max_interval: Duration = Field(3600.0, description="Every feed is polled at least so often.")
    allow_networks: list[str] = Field(
        [], description="Inside addresses that may be fetched all the same, as 127.0.0.0/8."
    )
    processes: int = Field(2, ge=1, le=64, description="Processes that parse feeds and pages.")

    @model_validator(mode="after")
    def _bounds(self) -> "Collect":
        if self.min_interval > self.max_interval:
            raise ValueError("min_interval is longer than max_interval")
        for network in self.allow_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"allow_networks: {error}") from None
        return self


class FeedAddress(Part):
    url: str = Field(description="http or https.")
    interval: Duration | None = Field(None, description="Polled at this rhythm, whatever it is.")
    kind: Literal["feed", "sitemap"] = Field("feed", description="A feed, or a news sitemap.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _http(self) -> "FeedAddress":
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url is no http or https address")
        return self


class OwnSource(Part):
    """A source of your own; one with the id of a bundled source takes its place."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Small letters, digits, hyphens.")
    name: str = Field("", description="As alerts show it; the id unless given.")
    name_latin: str = Field("", description="The name in Latin letters.")
    language: str = Field("ar", pattern=r"^[a-z]{2,3}$", description="ISO 639 code.")
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$", description="ISO 3166 code.")
    homepage: str | None = Field(None, description="Its front page.")
    tags: list[str] = Field([], description="For routes and lists.")
    feeds: list[FeedAddress] = Field(min_length=1, description="Addresses, or mappings as below.")


class Slack(Part):
    """Either `webhook_url`, or `token` and `channel`."""

    webhook_url: SecretStr | None = Field(None, description="An incoming webhook's address.")
    webhook_url_file: Path | None = Field(None, description="A file that holds it.")
    token: SecretStr | None = Field(None, description="A bot token (chat:write).")
    token_file: Path | None = Field(None, description="A file that holds it.")
    channel: str | None = Field(None, description="Channel id or name, with a token.")
    api_url: str = Field("https://slack.com/api/", description="Slack's API, for a proxy.")

    @model_validator(mode="after")
    def _one_way(self) -> "Slack":
        if (self.webhook_url is None) == (self.token is None):
            raise ValueError("needs either webhook_url, or token and channel")
        if self.token is not None and not self.channel:
            raise ValueError("token needs a channel")
        if self.webhook_url is not None and urlsplit(
            self.webhook_url.get_secret_value()
        ).scheme not in ("http", "https"):
            raise ValueError("webhook_url is no http or https address")
        return self


class Email(Part):
    sender: str = Field(alias="from", pattern=r"^[^\s@]+@[^\s@]+$", description="The From address.")
    to: Words = Field(min_length=1, description="Recipients.")
    smtp: SecretStr = Field(description="smtp://user@host:port; secret if it has a password.")
    password: SecretStr | None = Field(None, description="For the user named in `smtp`.")
    password_file: Path | None = Field(None, description="A file that holds it.")
    tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="How to encrypt.")

    @model_validator(mode="after")
    def _address(self) -> "Email":
        try:
            parts = urlsplit(self.smtp.get_secret_value())
            port_ok = parts.port is None or 0 < parts.port < 65536
        except ValueError:
            port_ok = False
        if not port_ok or parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("smtp is no address like smtp://user@mail.example.org:587")
        for address in self.to:
            if not re.fullmatch(r"[^\s@]+@[^\s@]+", address):
                raise ValueError("to: holds what is no mail address")
        return self


class Terminal(Part):
    """Alerts on standard output."""


class ReceiverPart(Part):
    name: str = Field(min_length=1, description="What routes call it.")
    slack: Slack | None = Field(None, description="To a Slack channel.")
    email: Email | None = Field(None, description="By mail.")
    terminal: Terminal | None = Field(None, description="On standard output: `terminal: {}`.")

    @model_validator(mode="after")
    def _one_channel(self) -> "ReceiverPart":
        if sum(c is not None for c in (self.slack, self.email, self.terminal)) != 1:
            raise ValueError("needs exactly one of slack, email, terminal")
        return self


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
