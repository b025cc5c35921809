"""`rasid doctor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rasid.cli.common import ConfigOption, JsonOption, print_json

if TYPE_CHECKING:
    from rasid.doctor import Finding

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "wrong": ("✗", "red")}


def doctor(
    config: ConfigOption = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send a message that says it is a test to each.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for whatever may keep Rasid from working, and say what to do about it.

    Configuration, log, disk, broker, rules, feeds, network, clock, receivers, permissions, the
    daemon: beside a running one or without. Changes nothing, takes half a minute at most.
    Exit code 1 when something is wrong; warnings are none.
    """
    from rasid.app import now
    from rasid.configfile import find
    from rasid.doctor import Patient, examine
    from rasid.doctor.configuration import configuration
    from rasid.logs import set_up

    set_up("error")  # what libraries log beside it is told by the findings
    checked, found = configuration(config)
    patient = Patient(checked, now, find(config), send_test)
    for finding in found:
        _show(finding, as_json)
    for finding in examine(patient):
        found.append(finding)
        _show(finding, as_json)
    counts = {status: sum(f.status == status for f in found) for status in _MARKS}
    if as_json:
        print_json({"ok": not counts["wrong"], "findings": [asdict(each) for each in found]})
    else:
        typer.echo(f"\n{counts['ok']} ok, {counts['warning']} to look at, {counts['wrong']} wrong")
    raise typer.Exit(1 if counts["wrong"] else 0)


def _show(finding: "Finding", as_json: bool) -> None:
    if as_json:
        return
    mark, colour = _MARKS[finding.status]
    typer.secho(f"{mark} ", fg=colour, nl=False)
    typer.echo(f"{finding.check + ':':<15} {finding.said}")
    if finding.todo:
        typer.echo(f"{'':<17} → {finding.todo}")
