"""`rasid run`, and one stage alone."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rasid.cli.common import ConfigOption, fail, load_config, open_configured_log
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


alert_app = typer.Typer(invoke_without_command=True)


@alert_app.callback()
def alert(
    context: typer.Context, config: ConfigOption = None, log_level: LevelOption = "info"
) -> None:
    """Run one stage: read flags and send alerts. `alert preview` shows what they look like."""
    if context.invoked_subcommand is None:
        _run(config, log_level, ("alert",))


@alert_app.command()
def preview(
    story: Annotated[
        str | None, typer.Argument(metavar="[STORY]", help="Of a story's last message.")
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where the files go.")] = Path("preview"),
    config: ConfigOption = None,
) -> None:
    """Write messages in every channel's form and language to a folder: HTML and plain mail, Slack's
    blocks, a webhook's JSON, the terminal. Without a story, an invented one."""
    from rasid.preview import samples, write_preview

    alerts = samples()
    if story is not None:
        from rasid.storybook import by_prefix, deliveries

        told = by_prefix(deliveries(open_configured_log(config)), story, lambda d: d.alert.story_id)
        if not told:
            fail(f"no message is on a story whose id begins with {story!r}")
        alerts = {told[0].alert.kind: told[0].alert}
    written = write_preview(alerts, folder)
    typer.echo(f"{len(written)} files in {folder}")


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
