"""`rasid feeds list`, `rasid feeds check`."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rasid.cli.common import ConfigOption, JsonOption, load_config, print_json

if TYPE_CHECKING:
    from collectors.catalogue import Source
    from rasid.config import Config

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
    from rasid.app import collect_options

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
    from rasid.app import sources

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
