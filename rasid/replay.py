"""Articles through the rules again: what would be flagged otherwise, or flagged otherwise for real.

    articles since a time ─▶ flagged by the rules of now ─┬─▶ held against their reports: changes
                                                          └─▶ appended again, for the processors

For real they go to the backfill lane, which never delays the live one and alerts nobody, or, if
alerts are asked for, to the live one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from processors.flagger import Flagger
from processors.processor import document_of
from streams.errors import Malformed
from streams.log import Log, Message, Stage, Transaction
from streams.records import ARTICLES, FLAGS, Article, Report, decode

BATCH: Final = 200

Found = frozenset[tuple[str, str]]  # theme, development


@dataclass(frozen=True, slots=True)
class Change:
    """An article that the rules of now flag otherwise than its report says."""

    article: Article
    gone: Found
    new: Found


def articles(log: Log, since: datetime | None, start: int | None) -> Iterator[Message]:
    """Article records written since then, from that offset on."""
    for message in log.read(ARTICLES, start):
        if since is None or message.time >= since:
            yield message


def changes(log: Log, flagger: Flagger, messages: Iterator[Message]) -> Iterator[Change | None]:
    """One for each article that can be read: None where all stays as it is."""
    reported = _reported(log)
    for message in messages:
        try:
            article = decode(Article, message.value)
        except Malformed:
            continue  # a dead letter of the processors
        now = _found(flagger, article)
        before = reported.get((article.id, article.revision), frozenset())
        yield None if now == before else Change(article, before - now, now - before)


def append_again(seat: Stage, messages: Iterator[Message], topic: str) -> int:
    """Give the articles to the processors once more, with a seat taken; how many."""
    tx = Transaction()
    count = 0
    for message in messages:
        tx.append(topic, message.key, message.value)
        count += 1
        if len(tx.appends) >= BATCH:
            seat.commit(tx)
            tx = Transaction()
    seat.commit(tx)
    return count


def _reported(log: Log) -> Mapping[tuple[str, int], Found]:
    """What the last report of each article's revision flags."""
    found: dict[tuple[str, int], Found] = {}
    for message in log.read(FLAGS):
        try:
            report = decode(Report, message.value)
        except Malformed:
            continue
        flags = frozenset((flag.theme, flag.development) for flag in report.flags)
        found[report.article_id, report.revision] = flags
    return found


def _found(flagger: Flagger, article: Article) -> Found:
    return frozenset((flag.theme, flag.development) for flag in flagger.flag(document_of(article)))
