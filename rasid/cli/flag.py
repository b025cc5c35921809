"""`rasid flag`: what a text would be flagged for, and why."""

import codecs
import gc
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, load_config, print_json
from rasid.cli.jsonlines import Row, one_line

if TYPE_CHECKING:
    from processors.flagger import Document, Flagger
    from streams.records import Flag

_HEADLINE = 160  # a first line shorter than this, with others after it, is the headline


def flag(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE|URL|-]…", help="Texts; standard input unless given."),
    ] = None,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help="One JSON object a line in (`text`, …), one a line out; files and - only.",
        ),
    ] = False,
    title: Annotated[
        str | None, typer.Option(help="The headline; else the text's first line, if short.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="ISO code, when you know it.")] = None,
    explained: Annotated[
        bool,
        typer.Option("--explain", help="Also every word matched, and the rules that nearly fired."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flag texts and tell why: theme, development, the sentence, the words that decided.

    With --jsonl, each line's object comes out as it was, plus `flags`; a bad line gets
    {"error": …} in its place, a message with its number on standard error, and exit code 1
    at the end.
    """
    names = inputs or ["-"]
    if jsonl and (urls := [name for name in names if _is_url(name)]):
        fail(f"{urls[0]}: --jsonl reads files and standard input (-) only", code=2)
    from processors.flagger import load_flagger

    flagger = load_flagger(load_config(config).rules)
    gc.freeze()  # no looks for garbage among the rules, half a million objects that stay
    if jsonl:
        good = True
        for name in names:
            with _open(name) as lines:
                good &= flag_lines(flagger, lines, sys.stdout, sys.stderr)
        raise typer.Exit(0 if good else 1)
    for name in names:
        document = _document(name, title, language, config)
        if explained:
            from processors.explain import explain
            from rasid.cli.explain import plain, show_explanation

            explanation = explain(flagger, document)
            dated = tuple(_dated(explanation.flags, document))
            explanation = replace(explanation, flags=dated)
            if as_json:
                print_json({"input": name, "title": document.title, **plain(explanation)})
            else:
                show(document, list(explanation.flags))
                show_explanation(explanation)
            continue
        flags = _dated(flagger.flag(document), document)
        if as_json:
            print_json({"input": name, "title": document.title, "flags": _plain(flags)})
        else:
            show(document, flags)


def split_headline(text: str) -> tuple[str, str]:
    """Headline and body of a bare text; no headline when the first line is long or alone."""
    first, newline, rest = text.lstrip("\r\n").partition("\n")
    if newline and rest.strip() and len(first) < _HEADLINE and first.strip():
        return first, rest
    return "", text


def flag_lines(flagger: "Flagger", lines: Iterable[bytes], out: IO[str], errors: IO[str]) -> bool:
    """Flag JSON lines, in order. Spans count within `title` and `text` as the line gave them;
    where the headline was taken from the text, both count within `text`. Returns whether
    every line was good."""
    good = True
    for number, line in enumerate(lines, 1):
        try:
            row = _parse(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
            text = row.with_member("flags", _flags_of_row(flagger, row.values))
        except ValueError as error:
            good = False
            errors.write(f"rasid: line {number}: {error}\n")
            text = json.dumps({"error": f"line {number}: {error}"}, ensure_ascii=False)
        out.write(one_line(text) + "\n")
    out.flush()
    return good


def _parse(line: bytes) -> Row:
    try:
        row = Row(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start})") from None
    for key, needed in (("text", True), ("title", False), ("language", False), ("source", False)):
        value = row.values.get(key)
        if (value is None and needed) or not (value is None or isinstance(value, str)):
            raise ValueError(f"{key!r} is " + ("missing" if value is None else "no text"))
    return row


def _flags_of_row(flagger: "Flagger", row: dict[str, Any]) -> list[dict[str, Any]]:
    from processors.flagger import Document

    title, text, shift = row.get("title"), row["text"], None
    if title is None:
        title, text = split_headline(row["text"])
        # Where headline and body lie in the raw string the caller knows.
        shift = (row["text"].find(title), len(row["text"]) - len(text))
    document = Document(
        title=title,
        text=text,
        language=row.get("language"),
        source=row.get("source"),
        published=_time(row.get("published")),
    )
    flags = _plain(_dated(flagger.flag(document), document, row.get("country")))
    if shift is not None:
        for found in flags:
            for span in found["spans"]:
                by = shift[0] if span["field"] == "title" else shift[1]
                span.update(field="text", start=span["start"] + by, end=span["end"] + by)
    return flags


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _dated(flags: "Iterable[Flag]", document: "Document", country: object = None) -> "list[Flag]":
    """With when it happened, as a message says it; `country` is the source's, by whose calendar
    that is. Nothing where it is not known when the article was published."""
    if document.published is None:
        return list(flags)
    from processors.happened import dated

    home = country if isinstance(country, str) else None
    return [dated(f, document.title, document.text, document.published, home) for f in flags]


def _plain(flags: "Iterable[Flag]") -> list[dict[str, Any]]:
    return [msgspec.to_builtins(f) for f in flags]


def _is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


class _Lines:
    """Binary lines of a file or of standard input."""

    def __init__(self, stream: IO[bytes], owned: bool) -> None:
        self._stream, self._owned = stream, owned

    def __enter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def __exit__(self, *_: object) -> None:
        if self._owned:
            self._stream.close()


def _open(name: str) -> _Lines:
    if name == "-":
        return _Lines(sys.stdin.buffer, owned=False)
    try:
        return _Lines(Path(name).open("rb"), owned=True)
    except OSError as error:
        fail(f"{name} cannot be read: {error.strerror}")


def _document(
    name: str, title: str | None, language: str | None, config: Path | None
) -> "Document":
    from processors.flagger import Document

    if _is_url(name):
        from collectors.single import fetch_article
        from rasid.app import now
        from rasid.options import collect_options

        article = fetch_article(name, collect_options(load_config(config)), clock=now)
        return Document(
            title=title or article.title,
            text=article.text,
            language=language or article.language,
            published=article.published,
        )
    with _open(name) as lines:
        data = b"".join(lines)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{name} is not UTF-8 (byte {error.start})")
    if title is None:
        title, text = split_headline(text)
    return Document(title=title, text=text, language=language)


def show(document: "Document", flags: "list[Flag]") -> None:
    """Flags for a person: one block each, the deciding words marked in their sentence."""
    from rich.console import Console
    from rich.text import Text

    from alerts.labels import told_time
    from rasid.cli.shown import shown

    console = Console(highlight=False, soft_wrap=True)
    if document.title:
        console.print(shown(document.title.strip(), "bold"))
    if not flags:
        console.print("no flag")
        return
    for found in flags:
        head = Text(f"\n{found.theme} · {found.development}", style="bold yellow")
        head.append(f"   {found.status}, score {found.score:.2f}, rule {found.rule}", style="dim")
        console.print(head)
        console.print(_marked(document, found))
        for label, values in (
            ("said by", [found.speaker] if found.speaker else []),
            ("countries", found.countries),
            ("places", found.places),
            ("actors", found.actors),
            ("quantities", [q.text or f"{q.value:g} {q.unit}" for q in found.quantities]),
            ("happened", [told_time(found.happened)] if found.happened else []),
        ):
            if values:
                line = Text(f"  {label}: ", style="dim")
                console.print(line.append_text(shown("، ".join(values), "none")))


def _marked(document: "Document", found: "Flag") -> Any:
    """The quote with its spans underlined; bare when it cannot be found again."""
    from rich.text import Text

    from rasid.cli.shown import shown

    line = Text("  ")
    for field, raw in (("title", document.title), ("text", document.text)):
        start = raw.find(found.quote)
        end = start + len(found.quote)
        spans = [s for s in found.spans if s.field == field and start <= s.start and s.end <= end]
        if start < 0 or not spans:
            continue
        for s in sorted(spans, key=lambda s: (s.start, s.end)):
            if s.start >= start:  # else it overlaps the one before
                line.append_text(shown(raw[start : s.start]))
                line.append_text(shown(raw[s.start : s.end], "bold underline"))
                start = s.end
        return line.append_text(shown(raw[start:end]))
    return line.append_text(shown(found.quote))
