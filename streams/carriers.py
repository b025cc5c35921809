"""Which carrier an address in the configuration means."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streams.errors import ConfigError
from streams.log import Clock, Log
from streams.sqlite import SqliteLog


def open_log(url: str, *, clock: Clock) -> Log:
    """The log at `url`: `sqlite:///var/lib/rasid/rasid.db`, always an absolute path.

    Nothing is opened or made yet. Raises ConfigError for any other address."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != "sqlite":
        raise ConfigError(
            f"log: {url!r} names no log that Rasid knows; write sqlite:///absolute/path/rasid.db"
        )
    if parts.netloc or not path.is_absolute() or parts.query or parts.fragment:
        raise ConfigError(
            f"log: {url!r} is not an absolute path; write three slashes and the whole path, as in"
            " sqlite:///var/lib/rasid/rasid.db"
        )
    if path.name == "" or url.endswith("/"):
        raise ConfigError(f"log: {url!r} names a folder; add the file's name, as in …/rasid.db")
    return SqliteLog(path, clock=clock)
