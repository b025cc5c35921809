"""What became of everything, for the demo's last page: read from the log alone."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rasid.demo.newsrooms import Newsroom
from streams import records
from streams.log import Log
from streams.records import Article, Delivery, Entry, FeedState, Report, Story, decode


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    newsroom: str
    answer: str
    entries: int
    articles: int


@dataclass(frozen=True, slots=True)
class ArticleOutcome:
    newsroom: str
    title: str
    text_from: str  # page, or the feed and why
    flags: tuple[str, ...]
    outcome: str  # to whom it went, or why to nobody
    alerted: bool


@dataclass(frozen=True, slots=True)
class Outcomes:
    feeds: tuple[FeedOutcome, ...]
    articles: tuple[ArticleOutcome, ...]


def outcomes(log: Log, rooms: list[Newsroom], ports: dict[str, int]) -> Outcomes:
    """Gather what the log's topics and tables say."""
    have = {info.name for info in log.topics()}

    def values(name: str) -> list[bytes]:
        return [m.value for m in log.read(name)] if name in have else []

    states = {s.source: s for s in (decode(FeedState, v) for v in values(records.FEEDS))}
    entries = [decode(Entry, v) for v in values(records.ENTRIES)]
    articles = [decode(Article, v) for v in values(records.ARTICLES)]
    reports = {r.article_id: r for r in (decode(Report, v) for v in values(records.FLAGS))}
    stories = {
        a.article_id: (story, a)
        for story in (decode(Story, v) for v in values(records.STORIES))
        for a in story.articles
    }
    sent: dict[str, list[Delivery]] = {}
    for delivery in (decode(Delivery, v) for v in values(records.DELIVERIES)):
        sent.setdefault(delivery.alert.article_id, []).append(delivery)
    names = {room.id: room.name for room in rooms}
    return Outcomes(
        feeds=tuple(
            FeedOutcome(
                room.name,
                _answer(states.get(room.id)),
                sum(e.source == room.id for e in entries),
                sum(a.source == room.id for a in articles),
            )
            for room in rooms
        ),
        articles=tuple(
            _article(a, names[a.source], reports.get(a.id), stories.get(a.id), sent.get(a.id, []))
            for a in sorted(articles, key=lambda a: (a.source, a.title))
        ),
    )


def _answer(state: FeedState | None) -> str:
    if state is None:
        return "not polled"
    return "ok" if state.well else f"{state.last_status}: {state.last_error or ''}"


def _article(
    article: Article,
    newsroom: str,
    report: Report | None,
    story: tuple[Story, records.StoryArticle] | None,
    sent: list[Delivery],
) -> ArticleOutcome:
    told = [f"{f.theme}: {f.development}" for f in report.flags] if report else []
    flags = tuple(dict.fromkeys(told))
    if sent:
        outcome = ", ".join(f"{d.status} to {d.alert.receiver}" for d in sent)
    elif story is not None:
        outcome = f"not alerted: {(story[1].decision or 'no reason kept').replace('_', ' ')}"
    else:
        outcome = "no development in it"
    return ArticleOutcome(
        newsroom=newsroom,
        title=article.title,
        text_from="page" if article.text_from == "page" else f"feed ({article.page_error})",
        flags=flags,
        outcome=outcome,
        alerted=bool(sent),
    )


def print_outcomes(console: Console, found: Outcomes) -> None:
    """Two tables: feeds, and articles with what became of each."""
    feeds = Table(title="Feeds", title_justify="left", box=None, header_style="bold")
    for name in ("newsroom", "entries", "articles", "answer"):
        feeds.add_column(name, overflow="fold")
    for f in found.feeds:
        feeds.add_row(
            f.newsroom, str(f.entries), str(f.articles),
            Text(f.answer, style="green" if f.answer == "ok" else "red"),
        )  # fmt: skip
    console.print()
    console.print(feeds)
    console.print("\n[bold]Articles[/]")
    for a in found.articles:
        mark = Text("● " if a.alerted else "○ ", style="green" if a.alerted else "dim")
        console.print(mark + Text(a.title, style="bold"))
        source = f"{a.newsroom}" + (
            "" if a.text_from == "page" else f", text from the {a.text_from}"
        )
        console.print(Text(f"    {source}", style="dim"))
        if a.flags:
            console.print(Text(f"    {', '.join(a.flags)}"))
        console.print(Text(f"    {a.outcome}", style="green" if a.alerted else "dim"))
    flagged = sum(bool(a.flags) for a in found.articles)
    alerted = sum(a.alerted for a in found.articles)
    console.print(
        f"\n{len(found.feeds)} feeds polled, {len(found.articles)} articles extracted, "
        f"{flagged} flagged, {alerted} alerted."
    )
