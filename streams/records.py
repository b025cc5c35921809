"""What travels on the log: one type a topic or table, as JSON with a schema version.

A reader accepts its own version and the one before; fields are only ever added, with
defaults. Times are aware datetimes in UTC, RFC 3339 on the wire. Spans count
characters (Python's `str` indices) of the raw title or text, end exclusive.

| record     | carried by                          | key          | partition key |
|------------|-------------------------------------|--------------|---------------|
| Article    | rasid.articles, …articles.backfill  | article id   | article id    |
| Report     | rasid.flags                         | article id   | one partition |
| Alert      | rasid.alerts                        | receiver     | one partition |
| DeadLetter | rasid.deadletters                   | stage        | one partition |
| FeedState  | table rasid.feeds                   | site/feed    | site          |
| Entry      | table rasid.entries                 | site/article | site          |
| Story      | table rasid.stories                 | story id     | one partition |
| Delivery   | table rasid.deliveries              | alert id     | one partition |
| Silence    | table rasid.silences                | silence id   | one partition |
| Settled    | table rasid.settled                 | letter id    | one partition |
"""

from datetime import date, datetime
from typing import Final, Literal, TypeVar

import msgspec

from streams.errors import Malformed, NewerSchema

VERSION: Final = 1

ARTICLES: Final = "rasid.articles"
BACKFILL: Final = "rasid.articles.backfill"
FLAGS: Final = "rasid.flags"
ALERTS: Final = "rasid.alerts"
DEADLETTERS: Final = "rasid.deadletters"
TOPICS: Final = (ARTICLES, BACKFILL, FLAGS, ALERTS, DEADLETTERS)

FEEDS: Final = "rasid.feeds"
ENTRIES: Final = "rasid.entries"
STORIES: Final = "rasid.stories"
DELIVERIES: Final = "rasid.deliveries"
SILENCES: Final = "rasid.silences"
SETTLED: Final = "rasid.settled"
TABLES: Final = (FEEDS, ENTRIES, STORIES, DELIVERIES, SILENCES, SETTLED)

# The source of Rasid's own articles, and the receiver that their messages go to: no news.
CANARY: Final = "rasid-canary"

Theme = Literal["ceasefire", "oil_field", "foreign_force"]
THEMES: Final[tuple[Theme, ...]] = ("ceasefire", "oil_field", "foreign_force")
DEVELOPMENTS: Final[dict[str, tuple[str, ...]]] = {
    "ceasefire": (
        "called_for", "negotiated", "agreed", "in_force", "rejected", "violated", "ended",
    ),
    "oil_field": (
        "attacked", "seized", "halted", "resumed", "threatened", "secured", "other",
    ),
    "foreign_force": (
        "deployed", "withdrawn", "strike", "support", "withdrawal_called", "threatened",
        "casualties", "denied",
    ),
}  # fmt: skip


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base: the schema version stands first in the JSON."""

    v: int = VERSION


class Article(Record, frozen=True, kw_only=True):
    """One article as extracted. The id is a digest of the canonical URL, so the same
    article found twice is one; `revision` grows when its text changes."""

    id: str
    revision: int = 1
    url: str  # canonical if the page names one, else as linked
    linked_url: str  # as the feed gave it
    source: str  # id in the catalogue or configuration
    source_name: str
    feed: str  # the feed's address
    title: str
    text: str
    text_from: Literal["page", "entry"] = "page"  # entry: the page failed, the feed's own text
    page_error: str | None = None  # why the page was not used
    language: str  # ISO 639-1
    country: str | None = None  # where the source is based, ISO 3166-1
    authors: tuple[str, ...] = ()
    published: datetime | None = None  # None: nobody said, or it was not believed
    seen: datetime  # when the entry was first seen in a feed
    fetched: datetime
    first_poll: bool = False  # from the very first poll of its feed
    text_hash: str  # of title and text: what decides whether a revision is new
    alerts: bool = False  # in the lane for backfill: worth a message all the same, however old


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """`role` says what the piece is: trigger, negation, actor, place, quantity, speaker, …"""

    field: Literal["title", "text"]
    start: int
    end: int
    role: str = "trigger"


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """70,000 barrels a day: value 70000, unit `barrels_per_day`, of `oil`."""

    value: float
    unit: str
    of: str | None = None
    text: str = ""  # as written


Status = Literal["asserted", "reported", "denied", "conditional", "called_for", "expected", "past"]


PartOfDay = Literal["", "dawn", "morning", "noon", "afternoon", "evening", "night"]


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """When it happened, as the article tells: a day of the source's calendar, or a part of it."""

    day: date
    part: PartOfDay = ""
    text: str = ""  # as written


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One development found in one article, with its evidence."""

    theme: str
    development: str
    score: float  # 0 to 1
    rule: str
    status: Status = "asserted"
    spans: tuple[Span, ...]
    quote: str  # the sentence that carries it, as written
    speaker: str | None = None
    countries: tuple[str, ...] = ()  # where it happens, ISO 3166-1 alpha-2
    places: tuple[str, ...] = ()
    installations: tuple[str, ...] = ()  # of the places, the oil and gas installations
    actors: tuple[str, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    happened: Happened | None = None  # only where the quote says when


class Report(Record, frozen=True, kw_only=True):
    """One article revision and the complete list of its flags; an empty list on a later
    revision takes earlier flags back."""

    article_id: str
    revision: int
    url: str
    title: str
    source: str
    source_name: str
    language: str
    country: str | None = None
    published: datetime | None = None
    seen: datetime
    first_poll: bool = False
    backfill: bool = False
    alerts: bool = False  # of backfill: as its article says
    sketch: tuple[int, ...] = ()  # see processors.sketch
    credited: str | None = None  # outlet or agency the text credits
    rules: str = ""  # digest of the rules that decided
    flags: tuple[Flag, ...] = ()
    words: tuple[int, ...] = ()  # of headline and lead, hashed: see processors.lead
    countries: tuple[str, ...] = ()  # that headline and lead speak of most
    places: tuple[str, ...] = ()  # where it is, by headline and lead: see processors.atlas
    passing: tuple[str, ...] = ()  # other places that the lead names


class StoryArticle(msgspec.Struct, frozen=True, kw_only=True):
    article_id: str
    revision: int
    url: str
    title: str
    source: str
    source_name: str
    published: datetime | None = None
    seen: datetime
    sketch: tuple[int, ...] = ()
    credited: str | None = None
    copy_of: str | None = None  # article id of the text it repeats
    decision: str = ""  # why it brought a message, or none: closed set, see alerts.stories
    why: str = ""  # why it is in this story, for a person to read
    flags: tuple[Flag, ...] = ()  # what it tells of it, without spans; of a copy, what it adds
    language: str = ""
    words: tuple[int, ...] = ()  # this and what follows as its Report has it; of a copy, none
    countries: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a story, and which article said so. `denied`: that it did not happen."""

    theme: str
    development: str
    denied: bool = False
    since: datetime
    article_id: str


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """The first message on a story to one receiver. Until `until` it waits, and takes in what
    comes meanwhile; `held` for a digest, it has no place of its own to answer."""

    alert_id: str
    until: datetime | None = None
    held: bool = False


class Story(Record, frozen=True, kw_only=True):
    """What several articles tell of one event."""

    id: str
    opened: datetime
    updated: datetime
    articles: tuple[StoryArticle, ...]
    flags: tuple[Flag, ...]  # what stands: one flag a development, with every place named
    alerted: bool = False
    more: int = 0  # articles beyond those listed
    states: tuple[State, ...] = ()  # what became of it, in order; the last is how it stands
    independent: int = 0  # sources that say it of their own
    confirmed: bool = False  # two of them say the same
    threads: dict[str, Thread] = {}  # by receiver: the message others about it belong to


class StoryPart(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert tells of one story: what came about, and how the story stands now."""

    story_id: str
    kind: Literal["opened", "changed", "confirmed", "corrected"] = "opened"
    headline: str = ""  # of its first independent source
    states: tuple[State, ...] = ()
    struck: tuple[State, ...] = ()  # what nobody tells any more
    outlets: tuple[str, ...] = ()  # names of those who publish it
    independent: int = 1
    copies: int = 0  # articles that repeat another's text


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest tells of one story: the latest message on it that was not sent when it was due,
    and how the story stands now."""

    alert_id: str
    story_id: str
    title: str
    url: str
    source_name: str
    published: datetime | None = None
    states: tuple[State, ...] = ()
    why: str = ""  # it was not sent
    also: tuple[str, ...] = ()  # alert ids of the earlier messages that it stands for
    outlets: int = 0  # who publish it; 0 where that is not known
    independent: int = 0
    copies: int = 0
    countries: tuple[str, ...] = ()  # where it happens, ISO 3166-1 alpha-2


class Alert(Record, frozen=True, kw_only=True):
    """One message due to one receiver: all a channel needs to write it."""

    id: str  # digest of receiver, article and revision: the same alert twice is one
    receiver: str  # empty in a notice: whoever the configuration names as `operators`
    kind: Literal["opened", "changed", "confirmed", "corrected", "digest", "operator"] = "opened"
    story_id: str
    article_id: str
    revision: int = 1
    url: str
    title: str
    source: str
    source_name: str
    language: str
    published: datetime | None = None
    seen: datetime
    created: datetime
    flags: tuple[Flag, ...]
    stories: tuple[StoryPart, ...] = ()  # the one of story_id first
    lines: tuple[Line, ...] = ()  # of a digest
    route: str = ""  # the key of the configuration that chose this receiver
    thread: str | None = None  # alert id of the first message on the story to this receiver
    not_before: datetime | None = None  # it waits for more on the story
    about: str = ""  # of a notice: the matter, as feed/ADDRESS; see streams.notices


class Delivery(Record, frozen=True, kw_only=True):
    """What became of an alert: a row of the sender's work table. While `pending`, the
    row's due time in the log is the next try."""

    alert: Alert
    # `held` for the next digest, `silenced` for good: these never were in rasid.alerts.
    status: Literal["pending", "sent", "dead", "expired", "held", "silenced"] = "pending"
    attempts: int = 0
    reason: str | None = None  # closed set, see alerts.errors and alerts.holding
    error: str | None = None
    updated: datetime
    queued: datetime | None = None  # when it became pending; it expires from then on
    done: tuple[str, ...] = ()  # of several recipients, those that have it
    refused: tuple[str, ...] = ()  # of several recipients, those refused for good
    reference: str | None = None  # Slack's ts, the mail's Message-ID
    link: str | None = None  # where the message can be looked at: Slack's permalink
    edits: str | None = None  # alert id of a message sent that this one takes the place of
    thread_reference: str | None = None  # of the message it answers, or edits


class Silence(Record, frozen=True, kw_only=True):
    """What is told to nobody for a time, by whom and why. `match` has the keys of a route's."""

    id: str
    author: str
    reason: str
    created: datetime
    ends: datetime
    match: dict[str, tuple[str, ...]] = {}
    story: str | None = None  # this story only
    receiver: str | None = None  # this receiver only


class DeadLetter(Record, frozen=True, kw_only=True):
    """A record that could not be handled, whole, with who, where, when and why."""

    stage: str
    topic: str
    partition: int
    offset: int
    key: str
    cause: str  # malformed, failed, retries_spent, too_large; of a message: undeliverable
    error: str
    failed: datetime
    attempts: int = 1
    value: str  # the record's bytes, as text if they are UTF-8, else base64
    encoding: Literal["utf-8", "base64"] = "utf-8"


class Settled(Record, frozen=True, kw_only=True):
    """What a person did about a dead letter."""

    what: Literal["replayed", "dropped"]
    at: datetime


class FeedState(Record, frozen=True, kw_only=True):
    """What polling knows of one feed. The row's due time in the log is the next poll."""

    source: str
    url: str
    site: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    interval_s: float = 0.0
    first_polled: datetime | None = None  # first successful poll
    last_polled: datetime | None = None
    last_success: datetime | None = None
    last_new: datetime | None = None
    last_status: str = ""  # ok, not_modified, or the reason of the failure
    last_error: str | None = None
    failures: int = 0  # in a row
    well: bool = True
    moved_to: str | None = None
    gaps_s: tuple[float, ...] = ()  # the latest times between new entries, newest last
    newest_entry: datetime | None = None
    failing_since: datetime | None = None  # this and what follows: see collectors.health
    hours: tuple[int, ...] = ()  # new entries by the hour of the week, from Monday, UTC
    odd_dates: int = 0  # new entries with a date that speaks against them, less the others
    lost_pages: int = 0  # pages that gave no article, less those that did
    page_error: str | None = None  # of the latest of them
    unwell: tuple[str, ...] = ()  # reasons told to the operators
    unwell_since: datetime | None = None


EntryStatus = Literal["waiting", "done", "unchanged", "skipped", "failed"]


class Entry(Record, frozen=True, kw_only=True):
    """An item of a feed and what became of it. While `waiting`, the row's due time in the
    log is the next try of its page. The feed's own text is kept until then, to fall back on."""

    article_id: str
    source: str
    feed: str
    site: str
    url: str
    title: str = ""
    summary: str = ""  # the entry's own text, HTML
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    seen: datetime
    first_poll: bool = False
    entry_hash: str = ""  # of what the feed says: a change asks for a new look at the page
    status: EntryStatus = "waiting"
    reason: str | None = None
    attempts: int = 0
    revision: int = 0  # of the article last written
    text_hash: str | None = None
    updated: datetime


KINDS: Final[dict[str, type[Record]]] = {
    ARTICLES: Article,
    BACKFILL: Article,
    FLAGS: Report,
    ALERTS: Alert,
    DEADLETTERS: DeadLetter,
    FEEDS: FeedState,
    ENTRIES: Entry,
    STORIES: Story,
    DELIVERIES: Delivery,
    SILENCES: Silence,
    SETTLED: Settled,
}

R = TypeVar("R", bound=Record)

_encoder = msgspec.json.Encoder()
_decoders: dict[type, msgspec.json.Decoder[Record]] = {}


class _Version(msgspec.Struct):
    v: int


def encode(record: Record) -> bytes:
    """JSON bytes. Text must be free of lone surrogates (a reader of outside text sees to it)."""
    return _encoder.encode(record)


def decode(kind: type[R], data: bytes) -> R:
    """Read a record back.

    Raises Malformed when it is not a `kind`, NewerSchema when a newer Rasid wrote it.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        record = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _check_version(kind, data)
        raise Malformed(f"no {kind.__name__}: {error}") from error
    if record.v != VERSION:
        _check_version(kind, data)
    assert isinstance(record, kind)
    return record


def _check_version(kind: type[Record], data: bytes) -> None:
    try:
        version = msgspec.json.decode(data, type=_Version).v
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if version > VERSION:
        raise NewerSchema(
            f"{kind.__name__} of schema {version}, this Rasid reads up to {VERSION}: upgrade it"
        )
    if version < VERSION - 1:
        raise Malformed(f"{kind.__name__} of schema {version}, older than Rasid still reads")
