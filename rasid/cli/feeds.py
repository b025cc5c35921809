"""`rasid feeds list`, `rasid feeds check`, `rasid feeds health`."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rasid.cli.common import ConfigOption, JsonOption, load_config, print_json

if TYPE_CHECKING:
    from collectors.catalogue import Source
    from rasid.config import Config
    from streams.log import Log
    from streams.records import FeedState

app = typer.Typer(help="The sources: what is polled, and what answers.", no_args_is_help=True)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Ids or tags; without them what the configuration polls; `all`."),
]


@app.command("list")
def list_(names: Names = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List sources and their feeds."""
    from rich.console import Console
    from rich.table import Table

    chosen = _chosen(names, load_config(config))
    if as_json:
        print_json([_source(s) for s in chosen])
        return
    table = Table(box=None, header_style="bold")
    for column in ("id", "name", "country", "language", "tags", "feeds"):
        table.add_column(column, overflow="fold")
    for s in chosen:
        urls = "\n".join(f"{f.url}  (verified: {f.verified})" for f in s.feeds)
        table.add_row(s.id, s.name, s.country or "", s.language, " ".join(s.tags), urls)
    Console().print(table)
    typer.echo(f"\n{len(chosen)} sources, {sum(len(s.feeds) for s in chosen)} feeds")


@app.command()
def check(names: Names = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Fetch each feed once, politely, and tell what answered.

    Exit code 1 when one has a problem. Takes the site delay between two feeds of one site.
    """
    from rasid.options import collect_options

    configured = load_config(config)
    chosen = _chosen(names, configured)
    results = asyncio.run(_check_all(chosen, collect_options(configured), quiet=as_json))
    bad = sum(1 for r in results if r["problem"])
    if as_json:
        print_json(results)
    else:
        _print_checks(results)
        typer.echo(f"\n{len(results)} feeds, {len(results) - bad} well, {bad} with a problem")
    raise typer.Exit(1 if bad else 0)


@app.command()
def health(names: Names = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell how each feed is by what the log knows of it, the unwell first; nothing is fetched.

    Exit code 1 when one is unwell.
    """
    from contextlib import closing

    from rasid.app import now
    from rasid.options import configured_log

    configured = load_config(config)
    with closing(configured_log(configured, now)) as log:
        states = _states(log)
    found = [
        _health(source, feed.url, states.get(feed.url), now())
        for source in _chosen(names, configured)
        for feed in source.feeds
    ]
    found.sort(key=lambda each: not each["unwell"])
    bad = sum(1 for each in found if each["unwell"])
    if as_json:
        print_json(found)
    else:
        _print_health(found)
        waiting = sum(1 for each in found if each["state"] == "waiting")
        well = len(found) - bad - waiting
        typer.echo(f"\n{len(found)} feeds, {bad} unwell, {well} well, {waiting} not polled yet")
    raise typer.Exit(1 if bad else 0)


def _states(log: "Log") -> "dict[str, FeedState]":
    """What the log knows of feeds, by address; nothing where it is still to be made."""
    from streams.errors import LogUnavailable, Malformed
    from streams.records import FEEDS, FeedState, decode

    found = {}
    try:
        for row in log.rows(FEEDS):
            try:
                state = decode(FeedState, row.value)
            except Malformed:
                continue  # told by the collectors
            found[state.url] = state
    except KeyError:
        return {}
    except LogUnavailable as error:
        if error.reason != "missing":
            raise
    return found


def _health(source: "Source", url: str, state: "FeedState | None", now: datetime) -> dict[str, Any]:
    from collectors.health import ailments
    from collectors.schedule import condition

    found = ailments(state, now) if state else ()
    return {
        "source": source.id,
        "url": url,
        "state": condition(state, now) if state else "waiting",
        "unwell": [{"reason": a.reason, "why": a.why, "do": a.do} for a in found],
        "told": list(state.unwell) if state else [],
        "unwell_since": state.unwell_since if state else None,
        "last_success": state.last_success if state else None,
        "last_new": state.last_new if state else None,
        "last_error": state.last_error if state and not state.well else None,
        "failures": state.failures if state else 0,
        "interval_s": state.interval_s if state else None,
        "moved_to": state.moved_to if state else None,
    }


def _print_health(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in ("source", "feed", "how it is", "last new"):
        table.add_column(column, overflow="fold")
    for each in found:
        told = Text("")
        for ailment in each["unwell"]:
            told.append(f"{ailment['reason']}: {ailment['why']}\n", style="red")
            told.append(f"{ailment['do']}\n")
        if not each["unwell"]:
            told.append(each["state"], style="green" if each["state"] == "well" else "yellow")
            if each["last_error"]:
                told.append(f" ({each['last_error']})")
        told.rstrip()
        last = each["last_new"].strftime("%Y-%m-%d %H:%M") if each["last_new"] else ""
        table.add_row(each["source"], each["url"], told, last)
    Console().print(table)


async def _check_all(chosen: list["Source"], options: Any, *, quiet: bool) -> list[dict[str, Any]]:
    """All feeds, sites beside each other, the feeds of one site one after the other."""
    from rich.console import Console
    from rich.progress import Progress

    from collectors.check import check_feed
    from collectors.urls import site_of

    by_site: dict[str, list[tuple[Any, Any]]] = {}
    for source in chosen:
        for feed in source.feeds:
            by_site.setdefault(site_of(feed.url), []).append((source, feed))
    results: list[dict[str, Any]] = []
    at_once = asyncio.Semaphore(16)
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("feeds", total=sum(len(s.feeds) for s in chosen))

        async def one_site(pairs: list[tuple[Any, Any]]) -> None:
            for i, (source, feed) in enumerate(pairs):
                if i:
                    await asyncio.sleep(options.site_delay_s)
                async with at_once:
                    found = await check_feed(source, feed, options)
                results.append(
                    {
                        "source": source.id,
                        "url": feed.url,
                        "problem": found.problem,
                        "hint": found.hint,
                        "status": found.status,
                        "entries": found.entries,
                        "newest": found.newest,
                        "full_text": found.full_text,
                        "moved_to": found.moved_to,
                        "checked": datetime.now(UTC).date().isoformat(),
                    }
                )
                progress.advance(task)

        await asyncio.gather(*(one_site(pairs) for pairs in by_site.values()))
    order = {f.url: i for i, f in enumerate(f for s in chosen for f in s.feeds)}
    return sorted(results, key=lambda r: order[r["url"]])


def _print_checks(results: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in ("source", "feed", "answer", "entries", "newest", "text"):
        table.add_column(column, overflow="fold")
    for r in results:
        newest = r["newest"].strftime("%Y-%m-%d %H:%M") if r["newest"] else ""
        text = {True: "full", False: "summary", None: ""}[r["full_text"]]
        moved = f"\nmoved to {r['moved_to']}" if r["moved_to"] else ""
        answer = Text(str(r["status"]), style="green")
        if r["problem"]:
            answer = Text(r["problem"], style="red").append(f"\n{r['hint']}", style="default")
        table.add_row(r["source"], r["url"] + moved, answer, str(r["entries"] or ""), newest, text)
    Console().print(table)


def _chosen(names: list[str] | None, config: "Config") -> list["Source"]:
    from collectors.catalogue import load_catalogue, select
    from rasid.options import sources

    if not names:
        return sources(config)
    own = {s.id: s for s in sources(config)}
    catalogue = load_catalogue() | own
    return select(catalogue, names)


def _source(s: "Source") -> dict[str, Any]:
    return {
        "id": s.id,
        "name": s.name,
        "name_latin": s.name_latin,
        "country": s.country,
        "language": s.language,
        "homepage": s.homepage,
        "tags": list(s.tags),
        "feeds": [
            {"url": f.url, "kind": f.kind, "verified": f.verified, "evidence": f.evidence}
            for f in s.feeds
        ],
    }
