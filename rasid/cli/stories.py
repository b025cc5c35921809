"""`rasid stories`, `rasid alerts`, `rasid why`, `rasid route test`: what is known, and why."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, open_configured_log, print_json

if TYPE_CHECKING:
    from alerts.routing import Subject
    from rasid.yamltree import Tree
    from streams.log import Log
    from streams.records import Story

stories_app = typer.Typer(help="Stories: events, with their articles.", no_args_is_help=True)
alerts_app = typer.Typer(help="Messages, and what became of them.", no_args_is_help=True)
route_app = typer.Typer(help="Who gets what.", no_args_is_help=True)

SinceOption = Annotated[
    str | None, typer.Option(metavar="DURATION", help="With news in that time, as 2d; else all.")
]
CountOption = Annotated[int, typer.Option("--count", "-n", min=1, help="At most so many.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")]


@stories_app.command("list")
def list_stories(
    since: SinceOption = None,
    count: CountOption = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List stories, the latest first: how each stands, where, and how many tell it."""
    from rasid.storybook import stories, story_line

    log = open_configured_log(config)
    found = [story_line(s) for s in stories(log, since=_since(since))[:count]]
    if as_json:
        print_json(found)
        return
    columns = ("id", "updated", "state", "where", "articles", "independent", "headline")
    _table(columns, [
        (
            s["id"][:8], _short(s["updated"]), s["state"] or "withdrawn",
            "/".join(s["countries"]) + (f" {s['places'][0]}" if s["places"] else ""),
            str(s["articles"]), str(s["independent"]), s["headline"],
        )
        for s in found
    ])  # fmt: skip


@stories_app.command("show")
def show_story(
    wanted: IdArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show a story: its states, its articles and which are independent, whom it was told to."""
    from rasid.storybook import deliveries, story_whole

    log = open_configured_log(config)
    story = the_story(log, wanted)
    sent = [d for d in deliveries(log) if story.id in {p.story_id for p in d.alert.stories}]
    whole = story_whole(story, reversed(sent))
    if as_json:
        print_json(whole)
        return
    _say(whole["headline"])
    _say(f"story {story.id}")
    for state in whole["states"]:
        _say(f"{_short(state['since'])} {state['theme']}: {state['state']}", "  ")
    for article in whole["articles"]:
        mark = "●" if article["independent"] else "○"
        _say(f"{mark} {article['source_name']}: {article['title']}")
        _say(article["url"], "  ")
        _say(f"{article['decision']}: {article['why']}", "  ")
    for alert in whole["alerts"]:
        _say(f"→ {alert['receiver']}: {alert['kind']}, {alert['status']} ({alert['id'][:8]})")
        if alert["link"]:
            _say(alert["link"], "  ")


@alerts_app.command("list")
def list_alerts(
    since: SinceOption = None,
    count: CountOption = 50,
    receiver: Annotated[str | None, typer.Option(help="To this receiver only.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List messages, the latest first: to whom, why, and what became of each."""
    from rasid.storybook import alert_line, deliveries

    log = open_configured_log(config)
    start = _since(since)
    found = [
        alert_line(d)
        for d in deliveries(log)
        if (start is None or d.alert.created >= start) and receiver in (None, d.alert.receiver)
    ][:count]
    if as_json:
        print_json(found)
        return
    _table(("id", "created", "receiver", "kind", "status", "title"), [
        (
            a["id"][:8], _short(a["created"]), a["receiver"], a["kind"],
            a["status"] + (f" ({a['reason']})" if a["reason"] else ""),
            a["title"] or f"of {len(a['lines'])} messages",
        )
        for a in found
    ])  # fmt: skip


@alerts_app.command("show")
def show_alert(
    wanted: IdArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show a message: what it says, why it was made, and what became of it."""
    from alerts.labels import told_time
    from rasid.storybook import alert_line, by_prefix, deliveries, flag_line

    found = by_prefix(deliveries(open_configured_log(config)), wanted, lambda d: d.alert.id)
    if not found:
        fail(f"no message has an id that begins with {wanted!r}")
    told = alert_line(found[0]) | {"flags": [flag_line(f) for f in found[0].alert.flags]}
    if as_json:
        print_json(told)
        return
    for key, value in told.items():
        if value not in (None, [], "") and key != "flags":
            _say(str(value), f"{key:>10}  ")
    for flag in found[0].alert.flags:
        when = f", {told_time(flag.happened)}" if flag.happened else ""
        _say(f"{flag.theme}: {flag.development}{when} «{flag.quote}»", "            ")


def why(
    wanted: Annotated[
        str, typer.Argument(metavar="URL|STORY|ALERT", help="Or the beginning of an id.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the whole way of an article: fetched, extracted, flagged, joined, routed, sent, or
    what stopped it, with the line of the configuration that did."""
    from rasid.cli.common import load_config
    from rasid.options import route
    from rasid.trail import find, trail

    log = open_configured_log(config)
    found = find(log, wanted)
    if not found:
        fail(f"the log knows no article, story or message {wanted!r}")
    tree = _tree(config)
    ways = {each: trail(log, each, route(load_config(config)), tree) for each in found}
    if as_json:
        print_json([{"article": a, "steps": [s.plain() for s in way]} for a, way in ways.items()])
        return
    for article, way in ways.items():
        typer.echo(f"article {article}")
        for step in way:
            mark = "✓" if step.good else "✗"
            _say(step.what, f"  {mark} {step.name:<9} ")
            if step.why:
                _say(step.why, "      ")


@route_app.command("test")
def route_of(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="STORY|FILE", help="A story's id, or a file of `stories show --json`."
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who would get a story that had news now, by which route, and why others would not:
    what each route misses; silences, mute times and limits that hold."""
    from alerts.silences import read_silences
    from rasid.app import now
    from rasid.cli.common import load_config
    from rasid.options import gate, route
    from rasid.storybook import deliveries
    from rasid.trail import line, who_gets

    settings = load_config(config)
    subject, story = _subject(wanted, config)
    log, tree = open_configured_log(config), _tree(config)
    told = who_gets(
        subject, story, route(settings), gate(settings), read_silences(log), deliveries(log),
        now(), tree,
    )  # fmt: skip
    if as_json:
        print_json([
            {
                "route": each.route.path,
                "receiver": each.route.receiver,
                "gets_it": each.route.target is not None and each.held is None,
                "why_not": each.route.missed or (each.held.why if each.held else None),
                "held_by": each.held.reason if each.held else None,
                "digest_at": each.held.due if each.held else None,
            }
            for each in told
        ])  # fmt: skip
        return
    for each in told:
        mark, said = ("✗", each.route.missed) if each.route.missed else ("✓", "gets it")
        if each.route.target is not None and each.route.target.wait_s:
            said = f"gets it, a first message after {each.route.target.wait_s:g} s"
        if each.held is not None:
            later = f"; a digest from {_short(each.held.due)} UTC on" if each.held.due else ""
            mark, said = "✗", f"{each.held.why}{later}"
        typer.echo(f"{mark} {each.route.receiver}: {line(each.key, tree)}{said}")


def _subject(wanted: str, config: Path | None) -> "tuple[Subject, str]":
    """What is routed of a story, and its id."""
    import msgspec

    from alerts.routing import Subject
    from streams.records import Flag

    if Path(wanted).is_file():
        try:
            whole = json.loads(Path(wanted).read_text("utf-8"))
            flags = tuple(msgspec.convert({"spans": [], **f}, Flag) for f in whole["flags"])
            first = (whole.get("articles") or [{}])[0]
        except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            fail(f"{wanted} is no story as `rasid stories show --json` writes it: {error}")
        sources = int(whole.get("independent", 1))
        subject = Subject(flags, first.get("source", ""), whole.get("language", ""), sources)
        return subject, str(whole.get("id", ""))
    story = the_story(open_configured_log(config), wanted)
    first_told = story.articles[0]
    return Subject(story.flags, first_told.source, first_told.language, story.independent), story.id


def the_story(log: "Log", wanted: str) -> "Story":
    """The one whose id begins so; else the command fails."""
    from rasid.storybook import by_prefix, stories

    found = by_prefix(stories(log), wanted, lambda story: story.id)
    if not found:
        fail(f"no story has an id that begins with {wanted!r}; `rasid stories list` names them")
    if len(found) > 1:
        fail(f"{len(found)} stories begin with {wanted!r}: write more of the id")
    return found[0]


def _tree(config: Path | None) -> "Tree | None":
    from rasid.configfile import DEFAULT_FILE
    from rasid.yamltree import read_tree

    path = config or DEFAULT_FILE
    return read_tree(path) if path.exists() else None


def _since(written: str | None) -> datetime | None:
    from rasid.app import now
    from rasid.config import parse_duration

    if written is None:
        return None
    try:
        return now() - timedelta(seconds=parse_duration(written))
    except ValueError as error:
        fail(f"--since {written!r} {error}")


def _say(text: str, before: str = "") -> None:
    """A line of text that may come from outside, which must not steer the terminal."""
    from rasid.cli.shown import shown

    typer.echo(before + shown(text).plain)


def _short(moment: datetime) -> str:
    return moment.strftime("%m-%d %H:%M")


def _table(columns: tuple[str, ...], lines: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from rasid.cli.shown import shown

    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for each in lines:
        table.add_row(*map(shown, each))  # a headline may hold markup, and worse
    Console().print(table)
