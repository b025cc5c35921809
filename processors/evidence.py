"""What a flag shows: spans, the sentence, who says it, names, quantities."""

from collections.abc import Iterable
from typing import Literal

from processors.arabic import fold
from processors.lexicon import Hit
from processors.matching import Match, Scene
from processors.rules import Rulebook
from processors.text import PAUSE, QUOTES, Sentence
from streams.records import Quantity, Span

MAX_QUOTE_CHARS = 700
MAX_SPEAKER_WORDS = 9


class Evidence:
    def __init__(self, book: Rulebook) -> None:
        mask = book.mask
        self._book = book
        self._speech = mask("speech")
        self._that = mask("that")
        self._unit = mask("unit")
        self._multiplier = mask("multiplier")
        self._daily = mask("daily")
        self.actor = mask(
            "foreign_unit", "army", "foreign_militia", "mercenary_group", "coalition", "mission",
            "local_force", "mercenary",
        )  # fmt: skip
        self._roles = (
            ("place", mask("country", "town", "capital", "named_installation", "installation")),
            ("actor", self.actor),
            ("negation", mask("denial", "refusal", "negation")),
        )

    def spans(
        self, match: Match, field: Literal["title", "text"], starts: list[int], tokens: list[str]
    ) -> Iterable[Span]:
        """A span a piece, its role by what it is."""
        for i, piece in enumerate(match.pieces):
            role = "trigger"
            if i != match.rule.trigger:
                role = next((r for r, mask in self._roles if piece.mask & mask), "trigger")
            last = piece.end - 1
            yield Span(
                field=field, start=starts[piece.start], end=starts[last] + len(tokens[last]),
                role=role,
            )  # fmt: skip

    @staticmethod
    def extent(starts: list[int], tokens: list[str], sentence: Sentence) -> tuple[int, int]:
        """Raw offsets of a sentence, with the mark that ends it; cut when very long."""
        start = starts[sentence.first]
        last = sentence.last if sentence.last < len(tokens) else sentence.last - 1
        if tokens[last] == "\n":
            last -= 1
        end = starts[last] + len(tokens[last])
        return start, min(end, start + MAX_QUOTE_CHARS)

    def speaker(self, scene: Scene, raw: str, starts: list[int], tokens: list[str]) -> str | None:
        """The words between a verb of saying and «أن», a colon or a comma."""
        for hit in scene.having(self._speech):
            at = hit.end
            stops = {h.start for h in scene.having(self._that)}
            while at < scene.sentence.last and at - hit.end < MAX_SPEAKER_WORDS:
                if at in stops or tokens[at] in PAUSE:
                    break
                at += 1
            else:
                continue
            if at > hit.end:
                last = at - 1
                said = raw[starts[hit.end] : starts[last] + len(tokens[last])]
                said = said.strip("".join(QUOTES) + " ")
                if said:
                    return said
        return None

    @staticmethod
    def _labels(hits: Iterable[Hit]) -> tuple[str, ...]:
        labels: dict[str, str] = {}  # two spellings of one name are one
        for hit in hits:
            if hit.term.label:
                labels.setdefault(fold(hit.term.label), hit.term.label)
        return tuple(labels.values())

    def names(self, scenes: Iterable[Scene], concepts: tuple[str, ...]) -> tuple[str, ...]:
        mask = self._book.mask(*concepts)
        return self._labels(hit for scene in scenes for hit in scene.having(mask))

    def quantities(
        self, scene: Scene, raw: str, starts: list[int], tokens: list[str]
    ) -> tuple[Quantity, ...]:
        """Numbers with their unit: 70 ألف برميل يومياً, 1400 مرتزق."""
        units = {hit.start: hit for hit in scene.having(self._unit)}
        times = {hit.start: hit for hit in scene.having(self._multiplier)}
        daily = {hit.start: hit for hit in scene.having(self._daily)}
        found = []
        at, last = scene.sentence.first, scene.sentence.last
        while at < last:
            begin = at
            value, at = _number(tokens, at, last)
            if value is None:
                at = begin + 1
                continue
            while at in times:
                value *= float(times[at].term.label or 1)
                at = times[at].end
            unit = units.get(at)
            if unit is None:
                continue
            at, name = unit.end, unit.term.label
            if name == "barrels" and at in daily:
                at, name = daily[at].end, "barrels_per_day"
            text = raw[starts[begin] : starts[at - 1] + len(tokens[at - 1])]
            kind = "oil" if name.startswith("barrels") else None
            found.append(Quantity(value=value, unit=name, of=kind, text=text))
        return tuple(found)


def _number(tokens: list[str], at: int, last: int) -> tuple[float | None, int]:
    digits = fold(tokens[at]) if tokens[at][:1].isdigit() else ""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None, at
    at += 1
    while at + 1 < last and tokens[at] in {".", ",", "٫", "٬"}:
        after = fold(tokens[at + 1])
        if not (after.isascii() and after.isdigit()):
            break
        digits += "" if len(after) == 3 and tokens[at] != "٫" else "."
        digits += after
        at += 2
        if "." in digits:
            break
    try:
        return float(digits), at
    except ValueError:
        return None, at
