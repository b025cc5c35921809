"""What several commands share: options, output, the log as configured."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rasid.config import Config
    from streams.log import Log

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration; without it rasid.yaml here, else the bundled sources.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]


def fail(message: str, code: int = 1) -> NoReturn:
    """Tell what went wrong on standard error and end."""
    for line in message.splitlines():
        print(f"rasid: {line}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """One JSON document, readable, Arabic as it is; times in ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def load_config(path: Path | None) -> "Config":
    from rasid.configfile import load

    return load(path)


def open_configured_log(path: Path | None) -> "Log":
    """The log that the configuration names, for a command."""
    return open_log_of(load_config(path))


def open_log_of(config: "Config") -> "Log":
    """The log of a configuration. What is logged meanwhile is no part of the command's output; of
    brokers that are away, the error that ends the command says all."""
    from rasid import logs
    from rasid.app import now
    from rasid.options import configured_log

    logs.set_up("warning")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return configured_log(config, now)


@contextmanager
def log_since(
    path: Path | None, since: str | None
) -> Iterator[tuple["Config", "Log", datetime | None]]:
    """The configuration, its log until the command is done, and the moment that `since` means."""
    from rasid.app import now

    config = load_config(path)
    begin = None if since is None else past(since, now())
    with closing(open_log_of(config)) as log:
        yield config, log, begin


def past(text: str, now: datetime) -> datetime:
    """A time, or an age before now, as an option gives it."""
    from rasid.config import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time like 2026-11-25T08:00, nor an age like 2d", code=2)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
