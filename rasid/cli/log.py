"""`rasid log topics`, `rasid log read`: looking into the log beside a running daemon;
`rasid log copy`: bringing it into another; `rasid log backup`: keeping it as it is now."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rasid.cli.common import (
    ConfigOption,
    JsonOption,
    fail,
    load_config,
    open_configured_log,
    open_log_of,
    print_json,
)
from rasid.cli.jsonlines import one_line

if TYPE_CHECKING:
    from streams.log import Log, Message

app = typer.Typer(help="Look into the log: topics, tables, records.", no_args_is_help=True)

_FOLLOW_S = 0.2


@app.command()
def read(
    topic: Annotated[str, typer.Argument(help="A topic or table, as rasid.articles.")],
    start: Annotated[
        int | None,
        typer.Option(
            "--from", metavar="OFFSET", min=0, help="Begin at this offset, in each partition."
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=0, help="End after so many.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more instead of ending at the end.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Print committed records as JSON lines: topic, partition, offset, key, time, value.

    Ends at the end. Of a table, its rows as they stand, by key.
    """
    from streams.records import TABLES

    carrier = open_configured_log(config)
    if follow and topic in TABLES:
        fail(f"{topic} is a table; only a topic can be followed")
    left = count
    positions: dict[int, int] = {}
    while left is None or left > 0:
        try:
            for message in carrier.read(topic, positions or start):
                typer.echo(_line(message))
                positions[message.partition] = message.offset + 1
                if left is not None:
                    left -= 1
                    if left <= 0:
                        break
        except KeyError:
            fail(f"the log has no topic or table {topic!r}{_hint(carrier, topic)}")
        if not follow:
            break
        time.sleep(_FOLLOW_S)


@app.command()
def topics(
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what is wrong with the topics on Kafka.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List topics and tables with counts, positions and lag, and what waits for whom."""
    carrier = open_configured_log(config)
    if check:
        if problems := carrier.problems():
            fail("\n".join(problems))
        return
    found = [_topic(info) for info in carrier.topics()]
    waiting = _waiting(carrier)
    if as_json:
        print_json({"topics": found, **waiting})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name, justify in (
        ("topic", "left"), ("kind", "left"), ("records", "right"), ("end", "right"),
        ("due", "right"), ("behind, by stage", "left"),
    ):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in found:
        behind = ", ".join(f"{s} {n}" for s, n in row["lag"].items())
        table.add_row(
            row["name"], row["kind"], f"{row['records']:,}", _shown(row["end"]),
            _shown(row["due"]), behind,
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"\nEntries waiting for their page: {waiting['waiting_entries']:,}")
    pending = waiting["pending_deliveries"]
    shown = ", ".join(f"{name} {n:,}" for name, n in sorted(pending.items())) or "none"
    console.print(f"Deliveries pending: {shown}", highlight=False)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="As `log:` names it.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="As `log:` will name it: empty.")],
    config: ConfigOption = None,
) -> None:
    """Move house: bring all of a log into another, as from SQLite to Kafka.

    Nobody may run on either meanwhile. Broken off, it goes on where it was when called again.
    Afterwards set `log:` to TO; nothing is fetched or sent twice.
    """
    from contextlib import closing

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from streams.copying import copy as copy_log

    settings = load_config(config)
    bars: dict[str, Any] = {}
    with (
        closing(open_log_of(settings.model_copy(update={"log": source}))) as one,
        closing(open_log_of(settings.model_copy(update={"log": target}))) as other,
        Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as progress,
    ):

        def told(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done, total=max(total, done))

        copy_log(one, other, told)
    typer.echo(f"Copied. Set `log: {target}` and start Rasid.")


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the copy goes; not there yet.")
    ],
    config: ConfigOption = None,
) -> None:
    """Copy a SQLite log as it stands, beside a running daemon, and check the copy.

    To restore: stop Rasid, put the copy in the log's place, remove the old -wal and -shm beside
    it, start Rasid.
    """
    from rasid.options import log_url
    from streams.carriers import log_file
    from streams.sqlite_backup import back_up

    path = log_file(log_url(load_config(config)))
    if path is None:
        fail(
            "the log is on Kafka, which keeps copies itself; `rasid log copy` brings it into a file"
        )
    size = back_up(path, file)
    typer.echo(f"{file}: {size:,} bytes, checked.")


def _topic(info: Any) -> dict[str, Any]:
    return {
        "name": info.name,
        "kind": info.kind,
        "partitions": info.partitions,
        "records": info.records,
        "first": info.first_offset,
        "end": info.end_offset,
        "bytes": info.bytes,
        "due": info.due,
        "lag": dict(info.positions),
        "positions": {
            stage: info.end_offset - behind
            for stage, behind in info.positions.items()
            if info.end_offset is not None
        },
    }


def _waiting(carrier: "Log") -> dict[str, Any]:
    """Waiting entries, and pending deliveries by receiver."""
    from streams.records import DELIVERIES, ENTRIES, Delivery, decode

    due = {info.name: info.due or 0 for info in carrier.topics()}
    pending: dict[str, int] = {}
    if due.get(DELIVERIES):
        for message in carrier.read(DELIVERIES):
            delivery = decode(Delivery, message.value)
            if delivery.status == "pending":
                name = delivery.alert.receiver
                pending[name] = pending.get(name, 0) + 1
    return {"waiting_entries": due.get(ENTRIES, 0), "pending_deliveries": pending}


def _line(message: "Message") -> str:
    try:
        value: Any = json.loads(message.value)
    except (ValueError, UnicodeDecodeError):
        value = message.value.decode("utf-8", "backslashreplace")
    text = json.dumps(
        {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "key": message.key,
            "time": message.time.isoformat(),
            "value": value,
        },
        ensure_ascii=False,
    )
    return one_line(text)


def _hint(carrier: "Log", topic: str) -> str:
    from rasid.configfile import did_you_mean

    return did_you_mean(topic, [info.name for info in carrier.topics()])


def _shown(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
