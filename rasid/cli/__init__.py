"""The command line. Each command imports what it needs when it runs, so that help is quick.

Exit codes: 0 done; 1 it failed, or found what it looks for (a problem, a bad line), told on
standard error; 2 the command line is wrong; 130 stopped by a second signal or Ctrl-C.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from rasid import __version__
from rasid.cli import (
    backfill,
    config,
    deadletters,
    demo,
    doctor,
    feeds,
    flag,
    log,
    replay,
    rules,
    run,
    silence,
    stories,
)
from rasid.cli.common import fail
from streams.errors import RasidError

app = typer.Typer(
    name="rasid",
    help="Rasid (راصد) watches Arabic-language news feeds and tells you when a ceasefire, "
    "an oil field or a foreign force makes news.",
    epilog="Exit codes: 0 done; 1 failed, or problems found; 2 wrong command line; 130 stopped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rasid {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None: ...


app.command()(demo.demo)
app.command()(run.run)
app.command()(run.collect)
app.command()(run.process)
app.add_typer(run.alert_app, name="alert")
app.command()(flag.flag)
app.command()(backfill.backfill)
app.command()(replay.replay)
app.command()(config.init)
app.command()(doctor.doctor)
app.add_typer(config.app, name="config")
app.add_typer(rules.app, name="rules")
app.add_typer(feeds.app, name="feeds")
app.add_typer(log.app, name="log")
app.command()(stories.why)
app.add_typer(stories.stories_app, name="stories")
app.add_typer(stories.alerts_app, name="alerts")
app.add_typer(stories.route_app, name="route")
app.add_typer(silence.app, name="silence")
app.add_typer(deadletters.app, name="deadletters")


def main() -> None:
    """The entry point: errors meant for people become one line and exit code 1."""
    # What Kafka's client library has to say comes out as one of those; the daemon hears more.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        app()
    except RasidError as error:
        hint = getattr(error, "hint", "")  # a FetchError's: what to do
        fail(f"{error}; {hint}" if hint else str(error))
    except BrokenPipeError:  # the reader of our output has gone: `rasid log read | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
