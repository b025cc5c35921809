"""`rasid replay`: articles that were read through the rules again."""

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, log_since, print_json

_SEAT_S = 10.0


def replay(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|AGE", help="Articles written since, as 2026-11-25T08:00 (UTC) or 2d."
        ),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option(
            "--from", metavar="OFFSET", min=0, help="From this offset on, in each partition."
        ),
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option(help="One more folder of rules, as to try.")
    ] = None,
    for_real: Annotated[
        bool, typer.Option("--for-real", help="Give them to the processors again.")
    ] = False,
    alert: Annotated[
        bool, typer.Option("--alert", help="With --for-real: alert for what is new in them.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flag past articles with the rules of now, and tell what changes against their reports.

    With --for-real nothing is compared: the articles are appended again, for the running
    processors and their rules, in the lane for backfill, which alerts nobody unless --alert.
    """
    from rasid.replay import append_again, articles
    from streams.letters import STAGE
    from streams.records import ARTICLES, BACKFILL

    if alert and not for_real:
        fail("--alert goes with --for-real", code=2)
    with log_since(config, since) as (configured, log, begin):
        found = articles(log, begin, start)
        if not for_real:
            _report(log, [*configured.rules, *(rules or ())], found, as_json)
            return
        seat = log.stage(STAGE)
        if not seat.acquire(_SEAT_S):
            fail("another command is at it; try again when it is done")
        with closing(seat):
            count = append_again(seat, found, ARTICLES if alert else BACKFILL)
        typer.echo(f"{count} articles given to the processors again")


def _report(log: Any, rules: list[Path], found: Any, as_json: bool) -> None:
    from processors.flagger import load_flagger
    from rasid.replay import changes

    flagger = load_flagger(rules)
    read = 0
    changed = []
    for change in changes(log, flagger, found):
        read += 1
        if change is not None:
            changed.append(change)
    tally = Counter(
        (sign, f"{theme}: {development}")
        for change in changed
        for sign, flags in (("+", change.new), ("-", change.gone))
        for theme, development in flags
    )
    if as_json:
        print_json(
            {
                "articles": read,
                "rules": flagger.digest,
                "changed": [
                    {
                        "id": c.article.id,
                        "revision": c.article.revision,
                        "url": c.article.url,
                        "title": c.article.title,
                        "new": sorted(c.new),
                        "gone": sorted(c.gone),
                    }
                    for c in changed
                ],
            }
        )
        return
    for change in changed:
        typer.echo(f"{change.article.title}\n    {change.article.url}")
        for sign, flags in (("+", change.new), ("-", change.gone)):
            for theme, development in sorted(flags):
                typer.echo(f"    {sign} {theme}: {development}")
    if tally:
        typer.echo("")
    for (sign, what), number in sorted(tally.items(), key=lambda each: each[0][1]):
        typer.echo(f"{sign}{number:<6} {what}")
    typer.echo(f"{read} articles, {len(changed)} flagged otherwise")
