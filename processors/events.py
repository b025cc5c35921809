"""From matches to flags: one flag a theme, development and event."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from processors.evidence import Evidence
from processors.lexicon import Entry, Hit
from processors.matching import Match
from processors.text import Sentence, joined, places
from streams.records import Flag, Span

MAX_SHOWN: Final = 40  # matches of one event that a flag shows


@dataclass(slots=True)
class Part:
    """Title or text, taken apart."""

    name: Literal["title", "text"]
    raw: str
    tokens: list[str]
    entries: list[Entry]
    phrases: list[Hit]  # its terms of several words
    sentences: list[Sentence]
    _starts: list[int] = field(default_factory=list)

    @property
    def starts(self) -> list[int]:
        """Raw offset of each token; computed when first asked for."""
        if not self._starts:
            self._starts = places(joined(self.raw))
        return self._starts


@dataclass(slots=True)
class Found:
    """A match with what it means: before flags are made of it."""

    match: Match
    field: Part
    development: str
    status: str
    score: float
    countries: tuple[str, ...]
    recalled: bool = False  # whether it may be what the article recalls beside its news


def events(found: Sequence[Found]) -> list[list[Found]]:
    """Group by theme and development; by countries where both name some and share none."""
    groups: list[list[Found]] = []
    places_of: list[set[str]] = []
    for item in sorted(found, key=lambda f: (-f.score, f.field.name != "title", f.match.start)):
        codes = set(item.countries)
        for group, known in zip(groups, places_of, strict=True):
            head = group[0]
            same = (head.match.rule.theme, head.development) == (
                item.match.rule.theme, item.development,
            )  # fmt: skip
            if same and (not codes or not known or codes & known):
                group.append(item)
                known |= codes
                break
        else:
            groups.append([item])
            places_of.append(codes)
    return groups


def make_flag(group: list[Found], evidence: Evidence) -> Flag:
    """The flag of one event's matches, the strongest first: all their spans; the
    shortest sentence that says it about as strongly, of the text rather than the headline."""
    best = group[0]
    miss = 1.0
    for rank, item in enumerate(group[:4]):
        miss *= 1 - item.score * (1.0 if rank == 0 else 0.3)
    group = group[:MAX_SHOWN]
    spans: dict[tuple[str, int, int], Span] = {}
    for item in group:
        for span in evidence.spans(
            item.match, item.field.name, item.field.starts, item.field.tokens
        ):
            spans.setdefault((span.field, span.start, span.end), span)
    ordered = sorted(spans.values(), key=lambda s: (s.field != "title", s.start, -s.end))
    as_good = [i for i in group if i.field.name == "text" and i.score >= best.score * 0.8]
    body = min(as_good, key=lambda i: i.match.scene.sentence.last - i.match.scene.sentence.first,
               default=best)  # fmt: skip
    part, scene = body.field, body.match.scene
    scenes = {id(i.match.scene): i.match.scene for i in group}.values()
    start, end = evidence.extent(part.starts, part.tokens, scene.sentence)
    return Flag(
        theme=best.match.rule.theme,
        development=best.development,
        score=round(min(1.0, 1 - miss), 3),
        rule=best.match.rule.id,
        status=best.status,  # type: ignore[arg-type]
        spans=tuple(ordered),
        quote=part.raw[start:end],
        speaker=evidence.speaker(body.match, part.raw, part.starts, part.tokens),
        countries=tuple(dict.fromkeys(c for i in group for c in i.countries)),
        places=evidence.names(scenes, ("town", "named_installation", "capital")),
        installations=evidence.names(scenes, ("named_installation",)),
        actors=tuple(dict.fromkeys(name for i in group for name in _actors(i, evidence))),
        quantities=evidence.quantities(scene, part.raw, part.starts, part.tokens),
    )


def _actors(item: Found, evidence: Evidence) -> list[str]:
    """Who acts: the name a gazetteer gives, else the words as written."""
    part = item.field
    named = []
    for piece in item.match.pieces:
        if piece.mask & evidence.actor:
            last = piece.end - 1
            written = part.raw[
                part.starts[piece.start] : part.starts[last] + len(part.tokens[last])
            ]
            named.append(written if piece.parts or not piece.term.label else piece.term.label)
    return named
