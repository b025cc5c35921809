"""Which carrier an address in the configuration means."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streams.errors import ConfigError
from streams.kafka_options import Security, kafka_options
from streams.log import Clock, Log
from streams.metrics import LogMetrics
from streams.sqlite import SqliteLog


def open_log(
    url: str,
    *,
    clock: Clock,
    instance: str = "",
    security: Security | None = None,
    metrics: LogMetrics | None = None,
) -> Log:
    """The log at `url`: `sqlite:///var/lib/rasid/rasid.db`, always an absolute path, or
    `kafka://host:9092,host:9092`.

    `instance` names this machine among those that share a Kafka (its host's name unless
    given). Nothing is opened or made yet. Raises ConfigError for any other address."""
    scheme = urlsplit(url).scheme if "://" in url else url.partition(":")[0]
    if scheme == "sqlite":
        return SqliteLog(_path(url), clock=clock)
    if scheme == "kafka":
        from streams.kafka import KafkaLog

        return KafkaLog(kafka_options(url, instance, security), clock=clock, metrics=metrics)
    raise ConfigError(
        f"log: {url!r} names no log that Rasid knows; write sqlite:///absolute/path/rasid.db or"
        " kafka://host:9092"
    )


def log_file(url: str) -> Path | None:
    """The file of a log in SQLite; None of any other. Raises ConfigError as `open_log` does."""
    return _path(url) if url.startswith("sqlite:") else None


def _path(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute() or parts.query or parts.fragment:
        raise ConfigError(
            f"log: {url!r} is not an absolute path; write three slashes and the whole path, as in"
            " sqlite:///var/lib/rasid/rasid.db"
        )
    if path.name == "" or url.endswith("/"):
        raise ConfigError(f"log: {url!r} names a folder; add the file's name, as in …/rasid.db")
    return path
