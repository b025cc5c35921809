"""Stories as an Atom feed (RFC 4287)."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from alerts.sanitize import clean, safe_href
from alerts.voices import origin, outlets
from rasid.storybook import state_name
from streams.records import Story

ATOM: Final = "http://www.w3.org/2005/Atom"
ENTRIES: Final = 100
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ElementTree.register_namespace("", ATOM)


def atom(stories: Iterable[Story], now: datetime) -> bytes:
    """The latest stories, one entry each: the headline, how it stands, who tells it."""
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    told = sorted(stories, key=lambda story: story.updated, reverse=True)[:ENTRIES]
    _text(feed, "id", "urn:rasid:stories")
    _text(feed, "title", "راصد · Rasid")
    _text(feed, "updated", _time(told[0].updated if told else now))
    _text(ElementTree.SubElement(feed, f"{{{ATOM}}}author"), "name", "Rasid")
    for story in told:
        entry = ElementTree.SubElement(feed, f"{{{ATOM}}}entry")
        first = origin(story.articles)
        _text(entry, "id", f"urn:rasid:story:{story.id}")
        _text(entry, "title", clean(first.title, 240) or "—")
        _text(entry, "updated", _time(story.updated))
        _text(entry, "published", _time(story.opened))
        if href := safe_href(first.url):
            ElementTree.SubElement(entry, f"{{{ATOM}}}link", href=href, rel="alternate")
        for flag in story.flags:
            term = f"{flag.theme}/{flag.development}"
            ElementTree.SubElement(entry, f"{{{ATOM}}}category", term=_xml(term))
        states = " → ".join(state_name(state) for state in story.states) or "withdrawn"
        names = ", ".join(clean(name, 60) for name in outlets(story.articles)[:12])
        _text(entry, "summary", f"{states}. {names}; independent: {story.independent}")
    written: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{ATOM}}}{name}").text = _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
