"""`rasid backfill`: past news, in a lane of its own."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, log_since, print_json

if TYPE_CHECKING:
    from collectors.backfill import Tally


def backfill(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="A sitemap's address or file (an index too), a list of addresses, JSON lines "
            "with url, title, text and date (or only url), or a WARC file; each may be gzipped.",
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|AGE", help="Leave out what is older, as 2026-11-25T08:00 (UTC) or 30d."
        ),
    ] = None,
    alert: Annotated[
        bool, typer.Option("--alert", help="Alert for what is found, however old it is.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read past news into the log, to be flagged and put into stories; nobody is alerted.

    It goes at the speed that live news leaves, beside a running daemon or without one. Broken off
    or called again, it leaves out what is in the log and tries again what failed. Each record
    that gave no article is told with file and line, and then the exit code is 1.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from collectors.backfill import Backfill
    from collectors.catalogue import load_catalogue
    from rasid.app import now
    from rasid.options import collect_options, sources

    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    task = progress.add_task("")
    with log_since(config, since) as (configured, log, begin), progress:
        run = Backfill(
            log,
            collect_options(configured),
            polled=sources(configured),
            catalogue=load_catalogue().values(),
            clock=now,
            tell=lambda line: console.print(f"rasid: {line}", markup=False, soft_wrap=True),
            show=lambda tally: progress.update(task, description=_told(tally)),
            since=begin,
            alerts=alert,
        )
        try:
            tally = run.run(inputs)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}")
        except KeyboardInterrupt:
            typer.echo(f"broken off: {_told(run.tally)}; call it again to go on", err=True)
            raise
        progress.update(task, visible=False)
    if as_json:
        print_json({name: n for name, n in asdict(tally).items() if name != "waits"})
    else:
        typer.echo(_told(tally))
    raise typer.Exit(1 if tally.failed or tally.bad else 0)


def _told(tally: "Tally") -> str:
    parts = [
        f"{tally.read} read",
        f"{tally.written} written",
        f"{tally.met} known already",
        f"{tally.older} too old",
        f"{tally.failed} without an article",
        f"{tally.bad} unusable",
        f"{tally.under_way} under way",
    ]
    waits = "; waits until the stages have caught up (is `rasid run` at work?)"
    return ", ".join(parts[:2] + [p for p in parts[2:] if not p.startswith("0 ")]) + (
        waits if tally.waits else ""
    )
