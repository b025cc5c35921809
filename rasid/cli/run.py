"""`rasid run`, and one stage alone."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rasid.cli.common import ConfigOption, load_config
from rasid.signals import HeldSignals

LevelOption = Annotated[
    Literal["debug", "info", "warning", "error"],
    typer.Option("--log-level", help="Least serious event to log, on standard error."),
]


def run(config: ConfigOption = None, log_level: LevelOption = "info") -> None:
    """Run the daemon: collect, process, alert, and serve metrics.

    SIGTERM or Ctrl-C ends it cleanly (a second one at once), SIGHUP reads the configuration
    again. Everything in hand is in the log, so a crash loses nothing.
    """
    _run(config, log_level, ("collect", "process", "alert"))


def collect(config: ConfigOption = None, log_level: LevelOption = "info") -> None:
    """Run one stage: poll the feeds and write articles."""
    _run(config, log_level, ("collect",))


def process(config: ConfigOption = None, log_level: LevelOption = "info") -> None:
    """Run one stage: read articles and write flags."""
    _run(config, log_level, ("process",))


def alert(config: ConfigOption = None, log_level: LevelOption = "info") -> None:
    """Run one stage: read flags and send alerts."""
    _run(config, log_level, ("alert",))


def _run(path: Path | None, level: str, stages: tuple[str, ...]) -> None:
    held = HeldSignals()  # what follows takes a second: a supervisor may speak meanwhile
    from rasid import logs
    from rasid.app import App
    from rasid.configfile import find

    path = find(path)  # now: were the file gone at a reload, the defaults are not what is wanted
    config = load_config(path)
    logs.set_up(level)
    app = App(config, config_path=path, stages=stages)
    raise typer.Exit(app.run(held))
