"""`rasid demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, and print addresses.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where its log, mails and Slack payloads go.")
    ] = Path("rasid-demo"),
    kafka: Annotated[
        bool, typer.Option("--kafka", help="On a Kafka broker instead of a SQLite file.")
    ] = False,
) -> None:
    """Show the whole road offline: invented newsrooms on loopback, the real daemon, alerts.

    Takes fifteen to twenty seconds, needs no configuration and no network.
    """
    from rasid.demo.show import run

    raise typer.Exit(run(folder, keep=keep, kafka=kafka))
