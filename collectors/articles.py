"""What a page means: from an entry's row and its page to an article and the row's end. Pure.

    Found ─┬─ new text ───────────────▶ article (or its next revision), row done
           ├─ the text of last time ──▶ row unchanged
           └─ another link's article ─▶ row unchanged, same_article
    Lost ──┬─ may pass, tries left ───▶ row waits on
           ├─ else, words in the feed ▶ article of the entry's own text, marked
           └─ nothing at all ─────────▶ row failed

An article is named by its page's canonical address where that can be believed: of the
link's own site, no front page, and not one that a different article already has (some
sites put their section's address on every page). The row under the canonical address keeps
revision and hash, so that two links to one article make one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from collectors.catalogue import Source
from collectors.clean import NAME_CHARS, TEXT_CHARS, TITLE_CHARS, clean_line, clean_text
from collectors.errors import FetchError
from collectors.extract import Extracted
from collectors.polls import Write
from collectors.schedule import retry_page
from collectors.urls import article_id, canonical_url, site_of, without_credentials
from streams.records import Article, Entry

_ARABIC_SCRIPT = frozenset({"ar", "fa", "ur", "ps", "ku", "ckb", "ug", "sd"})
SAME_ARTICLE = "same_article"


@dataclass(frozen=True, slots=True)
class Found:
    page: Extracted
    url: str  # that answered, after redirects


@dataclass(frozen=True, slots=True)
class Lost:
    """`own_text` is the entry's own, as plain paragraphs."""

    reason: str
    may_pass: bool
    own_text: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tries:
    most: int
    first_wait_s: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """`outcome`: article, revision, unchanged, same_article, retry, failed, gone (the row is
    no longer waiting: somebody else has settled it)."""

    outcome: str
    writes: tuple[Write, ...] = ()
    article: Article | None = None


def settle(
    key: str,
    entry: Entry,
    came: Found | Lost,
    source: Source,
    *,
    now: datetime,
    tries: Tries,
    look: Callable[[str], Entry | None],
) -> Settlement:
    """`look` gives another entry's row by its key."""
    if entry.status != "waiting":
        return Settlement("gone")
    if isinstance(came, Found):
        return _found(key, entry, came, source, now, look)
    return _lost(key, entry, came, source, now, tries)


def text_hash(title: str, text: str) -> str:
    """What decides whether an article has changed: its words, however they are spaced."""
    words = " ".join(title.split()) + "\0" + " ".join(text.split())
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()


def language_of(text: str, declared: str | None, usual: str) -> str:
    """The source's language unless the script of the text speaks against it; pages often
    declare their template's."""
    sample = text[:2000]
    arabic = sum("\u0600" <= char <= "\u06ff" for char in sample)
    latin = sum("a" <= char <= "z" or "A" <= char <= "Z" for char in sample)
    if arabic == latin:
        return usual
    is_arabic = arabic > latin
    if (usual in _ARABIC_SCRIPT) == is_arabic:
        return usual
    if declared is not None and (declared in _ARABIC_SCRIPT) == is_arabic:
        return declared
    return "ar" if is_arabic else "en"


def _found(
    key: str,
    entry: Entry,
    came: Found,
    source: Source,
    now: datetime,
    look: Callable[[str], Entry | None],
) -> Settlement:
    page = came.page
    title = _title(entry.title, clean_line(page.title or "", TITLE_CHARS))
    text = clean_text(page.text, TEXT_CHARS)
    digest = text_hash(title, text)
    url = entry.url
    named = _believed(page.canonical_url, entry.url, came.url)
    home = f"{site_of(named)}/{article_id(canonical_url(named))}" if named else key
    if entry.revision > 0:  # written before: it keeps its name
        home = f"{key.partition('/')[0]}/{entry.article_id}"
    other = look(home) if home != key else None
    if other is not None and other.revision > 0 and entry.revision == 0:
        if digest == other.text_hash or " ".join(other.title.split()) == title:
            same = _end(entry, "unchanged", now, reason=SAME_ARTICLE, article_id=other.article_id,
                        revision=other.revision, text_hash=digest)  # fmt: skip
            return Settlement("same_article", (Write(key, same, None),))
        home, other, named = key, None, None  # a different article: not believed
    if named is not None and home == f"{site_of(named)}/{article_id(canonical_url(named))}":
        url = named
    written = max(entry.revision, other.revision if other else 0)
    if written and digest in (entry.text_hash, other.text_hash if other else None):
        same = _end(entry, "unchanged", now, revision=written, text_hash=digest)
        return Settlement("unchanged", (Write(key, same, None),))
    identity = home.rpartition("/")[2]
    article = _article(
        entry, source, now, id=identity, revision=written + 1, url=url, title=title, text=text,
        text_hash=digest, authors=_names(entry.authors or page.authors),
        published=entry.published or page.published,
        language=language_of(text or title, page.language, source.language),
    )  # fmt: skip
    done = _end(entry, "done", now, article_id=identity, revision=written + 1, text_hash=digest)
    writes = [Write(key, done, None)]
    if home != key:
        # The article's own row: what it was waiting for is here. Its feed's wording, if it
        # was in a feed, stays known; if not, the first feed that brings it may claim it.
        base = other or msgspec.structs.replace(done, url=url, entry_hash="")
        own = _end(base, "done", now, article_id=identity, revision=written + 1, text_hash=digest)
        writes.append(Write(home, own, None))
    return Settlement("revision" if written else "article", tuple(writes), article)


def _lost(
    key: str, entry: Entry, came: Lost, source: Source, now: datetime, tries: Tries
) -> Settlement:
    attempts = entry.attempts + 1
    due = None
    if came.may_pass:
        due = retry_page(attempts, tries=tries.most, first_s=tries.first_wait_s,
                         retry_after_s=came.retry_after_s, now=now)  # fmt: skip
    if due is not None:
        reason = entry.reason if entry.revision else came.reason
        waiting = msgspec.structs.replace(entry, attempts=attempts, reason=reason, updated=now)
        return Settlement("retry", (Write(key, waiting, due),))
    if entry.revision > 0 and entry.reason in (None, SAME_ARTICLE):
        # The page was read before; the feed's few words must not take its place.
        same = _end(entry, "unchanged", now, attempts=attempts)
        return Settlement("unchanged", (Write(key, same, None),))
    text = clean_text(came.own_text, TEXT_CHARS)
    if not (text.strip() or entry.title.strip()):
        failed = _end(entry, "failed", now, reason=came.reason, attempts=attempts)
        return Settlement("failed", (Write(key, failed, None),))
    digest = text_hash(entry.title, text)
    if entry.revision and digest == entry.text_hash:
        same = _end(entry, "unchanged", now, reason=came.reason, attempts=attempts)
        return Settlement("unchanged", (Write(key, same, None),))
    revision = entry.revision + 1
    article = _article(
        entry, source, now, id=entry.article_id, revision=revision, url=entry.url,
        title=entry.title, text=text, text_hash=digest, authors=_names(entry.authors),
        published=entry.published, text_from="entry", page_error=came.reason,
        language=language_of(text or entry.title, None, source.language),
    )  # fmt: skip
    done = _end(entry, "done", now, reason=came.reason, attempts=attempts, revision=revision,
                text_hash=digest)  # fmt: skip
    outcome = "entry_text" if revision == 1 else "revision"
    return Settlement(outcome, (Write(key, done, None),), article)


def _believed(canonical: str | None, linked: str, answered: str) -> str | None:
    """The page's canonical address, if it is of the same site and can name one article."""
    if not canonical:
        return None
    try:
        tidy = canonical_url(canonical)
        if site_of(tidy) not in (site_of(linked), site_of(answered)):
            return None
        path = urlsplit(canonical_url(linked))
    except FetchError:
        return None
    parts = urlsplit(tidy)
    if parts.path == "/" and not parts.query and (path.path != "/" or path.query):
        return None
    return without_credentials(canonical)


def _title(of_entry: str, of_page: str) -> str:
    """The feed's, which has no site's name hung on; the page's where the feed cut it."""
    stem = of_entry.rstrip(".… ")
    if not of_entry or (of_entry != stem and stem and of_page.startswith(stem)):
        return of_page or of_entry
    return of_entry


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(clean_line(name, NAME_CHARS) for name in names[:20] if name.strip())


def _end(entry: Entry, status: str, now: datetime, **fields: object) -> Entry:
    """The row with its end; the text to fall back on is no longer needed."""
    changes: dict[str, object] = {"summary": "", "reason": None, **fields}
    return msgspec.structs.replace(entry, status=status, updated=now, **changes)


def _article(entry: Entry, source: Source, now: datetime, **fields: object) -> Article:
    return Article(
        linked_url=entry.url,
        source=source.id,
        source_name=source.name,
        feed=entry.feed,
        country=source.country,
        seen=entry.seen,
        fetched=now,
        first_poll=entry.first_poll,
        **fields,  # type: ignore[arg-type]
    )
