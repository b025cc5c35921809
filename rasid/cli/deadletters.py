"""`rasid deadletters`: records that could not be handled, looked at, replayed, dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, open_configured_log, print_json

if TYPE_CHECKING:
    from streams.letters import Letter
    from streams.log import Log

app = typer.Typer(
    help="Records that could not be handled: look, replay, drop.", no_args_is_help=True
)

_SEAT_S = 10.0

StageOption = Annotated[str | None, typer.Option("--stage", help="Of this stage only.")]
CauseOption = Annotated[
    str | None, typer.Option("--cause", help="With this cause only, as malformed.")
]
OlderOption = Annotated[
    str | None, typer.Option("--older", metavar="AGE", help="That failed before, as 7d.")
]
NewerOption = Annotated[
    str | None, typer.Option("--newer", metavar="AGE", help="That failed since, as 2h.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All that are open, if no filter is given.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.")]


@app.command("list")
def list_(
    stage: StageOption = None,
    cause: CauseOption = None,
    older: OlderOption = None,
    newer: NewerOption = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="Those replayed or dropped too.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters that are open, the oldest first."""
    with _log(config) as log:
        found = [
            letter
            for letter in _filtered(log, stage, cause, older, newer)
            if settled or letter.settled is None
        ]
    if as_json:
        print_json([_shown(letter) for letter in found])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("id", "failed", "stage", "cause", "key", "error"):
        table.add_column(column, overflow="fold")
    for letter in found:
        it = letter.content
        state = f" ({letter.settled.what})" if letter.settled else ""
        table.add_row(
            letter.id + state, f"{it.failed:%Y-%m-%d %H:%M:%S}", it.stage, it.cause, it.key,
            it.error.partition("\n")[0][:200],
        )  # fmt: skip
    Console().print(table)
    typer.echo(f"\n{len(found)} dead letters")


@app.command()
def show(
    ids: Annotated[list[str], typer.Argument(help="Ids, as `list` shows them.")],
    config: ConfigOption = None,
) -> None:
    """Show dead letters whole, with the record they hold, as JSON."""
    with _log(config) as log:
        print_json([{**_shown(x), "value": x.content.value} for x in _named(log, ids)])


@app.command()
def replay(
    ids: IdsArgument = None,
    stage: StageOption = None,
    cause: CauseOption = None,
    older: OlderOption = None,
    newer: NewerOption = None,
    all_: AllOption = False,
    config: ConfigOption = None,
) -> None:
    """Give records to their stage again, at the end of their topic."""
    _settle("replayed", ids, (stage, cause, older, newer), all_, config)


@app.command()
def drop(
    ids: IdsArgument = None,
    stage: StageOption = None,
    cause: CauseOption = None,
    older: OlderOption = None,
    newer: NewerOption = None,
    all_: AllOption = False,
    config: ConfigOption = None,
) -> None:
    """Settle dead letters that nothing is to be done about."""
    _settle("dropped", ids, (stage, cause, older, newer), all_, config)


def _settle(
    what: Literal["replayed", "dropped"],
    ids: list[str] | None,
    filters: tuple[str | None, str | None, str | None, str | None],
    all_: bool,
    config: Path | None,
) -> None:
    from rasid.app import now
    from streams.letters import STAGE, settle

    if not (ids or any(filters) or all_):
        fail("name ids, filter, or say --all", code=2)
    with _log(config) as log:
        seat = log.stage(STAGE)
        if not seat.acquire(_SEAT_S):
            fail("another command is settling dead letters; try again when it is done")
        try:
            chosen = _named(log, ids) if ids else list(_filtered(log, *filters))
            done = [letter for letter in chosen if letter.settled is not None]
            if ids and done:
                fail(", ".join(f"{x.id} was {x.settled.what} already" for x in done if x.settled))
            count, refused = settle(log, seat, [x for x in chosen if x.settled is None], what, now)
        finally:
            seat.close()
    typer.echo(f"{count} {what}")
    if refused:
        fail("\n".join(refused))


@contextmanager
def _log(config: Path | None) -> "Iterator[Log]":
    log = open_configured_log(config)
    try:
        yield log
    finally:
        log.close()


def _filtered(
    log: "Log", stage: str | None, cause: str | None, older: str | None, newer: str | None
) -> "Iterator[Letter]":
    from rasid.app import now
    from streams.letters import Filter, letters

    wanted = Filter(stage, cause, _age(older), _age(newer))
    return (letter for letter in letters(log) if wanted.takes(letter.content, now()))


def _named(log: "Log", ids: list[str]) -> "list[Letter]":
    from streams.letters import letters

    found = {letter.id: letter for letter in letters(log)}
    if missing := [name for name in ids if name not in found]:
        fail(f"no dead letter is {', '.join(missing)}; see `rasid deadletters list --settled`")
    return [found[name] for name in ids]


def _age(text: str | None) -> float | None:
    from rasid.config import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        fail(f"{text!r} {error}", code=2)


def _shown(letter: "Letter") -> dict[str, Any]:
    it = letter.content
    return {
        "id": letter.id,
        "failed": it.failed,
        "stage": it.stage,
        "cause": it.cause,
        "error": it.error,
        "attempts": it.attempts,
        "topic": it.topic,
        "partition": it.partition,
        "offset": it.offset,
        "key": it.key,
        "settled": letter.settled.what if letter.settled else None,
    }
