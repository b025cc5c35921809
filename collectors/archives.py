"""Files of past news, record by record, for `collectors.backfill`.

    a list of addresses   one a line                     ─▶ Listed, to be fetched
    JSON lines            url, and title, text, date     ─▶ Given, an article as it stands;
                                                            with the url only, Listed
    a WARC file           what a crawler was answered    ─▶ Captured, a page to be extracted

Each may be packed with gzip; what a file is, its name and its first bytes say. A record that
cannot be used is a Bad, which names file and line; reading goes on behind it.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from collectors.clean import NAME_CHARS, TEXT_BYTES, TITLE_CHARS, clean_line, clean_text
from collectors.dates import parse_date
from collectors.errors import FetchError
from collectors.fetch import PAGE_BYTES
from collectors.urls import clean_url, without_credentials

LINE_BYTES: Final = 4 * 1024 * 1024

Kind = Literal["addresses", "jsonl", "warc", "sitemap"]
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listed:
    """A page to be fetched; what is said of it beforehand. `where` is file and line."""

    url: str
    where: str
    title: str = ""
    published: datetime | None = None
    source: str = ""  # an id of the catalogue, or a name


@dataclass(frozen=True, slots=True)
class Given:
    """An article that needs no fetching."""

    url: str
    where: str
    title: str
    text: str
    published: datetime | None = None
    source: str = ""
    language: str | None = None
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """A page as a crawler was answered."""

    url: str
    where: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used, and why."""

    where: str
    error: str


Item = Listed | Given | Captured | Bad


def kind_of(path: Path) -> Kind:
    """What a file holds. Raises OSError."""
    with path.open("rb") as raw, _unpacked(raw) as file:
        try:
            head = file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            head = b""
    if head.startswith(b"WARC/"):
        return "warc"
    if head.startswith(b"<"):
        return "sitemap"
    return "jsonl" if head.startswith(b"{") or ".jsonl" in path.suffixes else "addresses"


def read_file(path: Path, kind: Kind, *, now: datetime) -> Iterator[Item]:
    """Every record of a list, of JSON lines, or of a WARC file. Raises OSError."""
    with path.open("rb") as raw, _unpacked(raw) as file:
        if kind == "warc":
            yield from _warc(file, str(path))
            return
        for number, line in _lines(file, str(path)):
            where = f"{path}:{number}"
            if isinstance(line, Bad):
                yield line
            elif kind == "jsonl":
                yield _record(line, where, now)
            elif not line.startswith("#"):
                yield _listed({"url": line}, where)


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    packed = raw.read(2) == _GZIP
    raw.seek(0)
    return cast(IO[bytes], gzip.open(raw)) if packed else raw


def _lines(file: IO[bytes], path: str) -> Iterator[tuple[int, str | Bad]]:
    """Lines that hold something, with their numbers. One without end costs no memory."""
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(LINE_BYTES)
            is_long = len(line) == LINE_BYTES and not line.endswith(b"\n")
            while is_long and (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield number, Bad(f"{path}:{number}", f"the gzip ends or breaks here: {error}")
            return
        if not line:
            return
        if is_long:
            yield number, Bad(f"{path}:{number}", f"a line of more than {LINE_BYTES:,} bytes")
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            yield number, Bad(f"{path}:{number}", f"no UTF-8 at byte {error.start + 1}")
            continue
        if text:
            yield number, text


def _record(line: str, where: str, now: datetime) -> Listed | Given | Bad:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Bad(where, f"no JSON: {error}")
    if not isinstance(value, dict):
        return Bad(where, "no JSON object with a url")
    fields: dict[str, Any] = {name: v for name, v in value.items() if v not in (None, "")}
    for name in ("url", "title", "text", "source", "language"):
        if not isinstance(fields.get(name, ""), str):
            return Bad(where, f"{name}: no text but {json.dumps(fields[name])[:80]}")
    date = fields.get("date", fields.get("published"))  # the latter as Rasid's own articles have it
    if date is not None:
        fields["published"] = parse_date(str(date), now=now)
        if fields["published"] is None:
            return Bad(where, f"date: none that can be read or believed: {str(date)[:80]!r}")
    listed = _listed(fields, where)
    text = clean_text(fields.get("text", ""), TEXT_BYTES).strip()
    if isinstance(listed, Bad) or not text:
        return listed
    if len(text.encode()) > TEXT_BYTES:
        return Bad(where, f"text: more than {TEXT_BYTES:,} bytes")
    if not listed.title:
        return Bad(where, "title: there is a text and no title")
    authors = fields.get("authors", ())
    return Given(
        listed.url, where, listed.title, text, listed.published, listed.source,
        fields.get("language"),
        tuple(clean_line(str(a), NAME_CHARS) for a in authors[:20] if a)
        if isinstance(authors, list) else (),
    )  # fmt: skip


def _listed(fields: dict[str, Any], where: str) -> Listed | Bad:
    url = without_credentials(fields.get("url", "").strip())
    if not url:
        return Bad(where, "url: missing")
    try:
        clean_url(url)
    except FetchError as error:
        return Bad(where, f"url: {error}")
    return Listed(
        url, where, clean_line(fields.get("title", ""), TITLE_CHARS), fields.get("published"),
        clean_line(fields.get("source", ""), NAME_CHARS),
    )  # fmt: skip


def _warc(file: IO[bytes], path: str) -> Iterator[Captured | Bad]:
    """Web pages that were answered with 200. Pictures, redirects and the crawler's own notes
    are passed over."""
    records = ArchiveIterator(file)
    number = 0
    while True:
        number += 1
        where = f"{path}: record {number}"
        try:
            record = next(records)
            page = _capture(record, where)
        except StopIteration:
            return
        except (ArchiveLoadFailed, EOFError, OSError, ValueError, zlib.error) as error:
            yield Bad(where, f"the file breaks here: {error}")
            return
        if page is not None:
            yield page


def _capture(record: Any, where: str) -> Captured | Bad | None:
    if record.rec_type != "response" or record.http_headers is None:
        return None
    content_type = record.http_headers.get_header("Content-Type") or ""
    if record.http_headers.get_statuscode() != "200" or "html" not in content_type.lower():
        return None
    url = (record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> ")
    listed = _listed({"url": url}, where)
    if isinstance(listed, Bad):
        return listed
    body = record.content_stream().read(PAGE_BYTES + 1)
    if len(body) > PAGE_BYTES:
        return Bad(where, f"{url}: larger than {PAGE_BYTES:,} bytes")
    record.raw_stream.read()  # what may stand behind the last chunk
    if record.raw_stream.limit > 0:
        return Bad(where, f"{url}: the file ends in the middle of it")
    return Captured(listed.url, where, body, content_type)
