"""What a flag shows: spans, the sentence, who says it, names, quantities."""

import re
from collections.abc import Iterable
from typing import Final, Literal

from processors.arabic import fold
from processors.lexicon import Hit
from processors.matching import Match, Scene
from processors.rules import Rulebook
from processors.text import PAUSE, QUOTES, STOP, Sentence
from streams.records import Quantity, Span

MAX_QUOTE_CHARS = 700
_AND_THE: Final = re.compile(r"وال\w\w")
MAX_SPEAKER_WORDS = 9
# «عشرات الجنود» are not ten: folded, a number to no one.
_UNTOLD: Final = re.compile(
    "[وفبلك]?(?:ال)?(?:عشرات|ميات|الاف|ملايين|مليارات)|(?:hundred|thousand|million|billion)s"
)


class Evidence:
    def __init__(self, book: Rulebook) -> None:
        mask = book.mask
        self._book = book
        self._speech = mask("speech")
        self._that = mask("that", "said_next")
        self._opinion = mask("opinion")
        self._relative = mask("relative")
        self._aside = mask("aside")
        self._act = mask("call", "denial", "refusal")
        self._who = mask(
            "country", "capital", "leader", "nationality", "local_force", "foreign_militia",
            "coalition", "mission", "company", "party", "official", "army", "alliance", "aside",
        )  # fmt: skip
        self._unit = mask("unit")
        self._number = mask("number")
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

    def speaker(self, match: Match, raw: str, starts: list[int], tokens: list[str]) -> str | None:
        """Who is said to say it: the words after the verb of saying up to what is said («قال
        فلان إن», «بحسب فلان،»), or before it where what is said follows at once («مصادر
        مطلعة قالت إن»)."""
        scene = match.scene
        stops = {hit.start for hit in scene.having(self._that)}
        whether = {hit.start for hit in scene.having(self._book.mask("that"))}
        stops |= {piece.start for piece in match.pieces}
        stops |= {hit.start for hit in scene.having(self._relative)}
        headline = scene.sentence.index < 0
        asides = {hit.start: hit.end for hit in scene.having(self._aside)}
        # «دعا فلان إلى», «نفت موسكو وجود»: who says it stands before the first other word known.
        other = {hit.start for hit in scene.hits if not hit.mask & self._who}
        for hit in scene.having(self._speech | self._opinion | self._act):
            ahead = False  # whether who says it stands before the verb
            asked = not hit.mask & (self._speech | self._opinion)
            if headline and not asked and not hit.mask & self._speech:
                continue  # «الهدنة بين الجيش والدعم السريع»
            if not asked and any(p.start <= hit.start < p.end for p in match.pieces):
                continue
            if headline and hit.start > scene.sentence.first:
                # «موسكو تعلن انسحاب»: a headline names who says it first.
                ahead = True
            else:
                until = stops | other if asked else stops
                first = hit.end
                while first in asides:
                    first = asides[first]
                last = first
                while last < scene.sentence.last and not self._ends(tokens[last], last, until):
                    last += 1
                if hit.mask & self._opinion and last not in whether:
                    continue
                ahead = last == first and not asked and tokens[last : last + 1] != [":"]
            if ahead:
                first, last = self._before(hit.start, scene, tokens, stops)
            if first < last <= first + MAX_SPEAKER_WORDS:
                end = last - 1
                said = raw[starts[first] : starts[end] + len(tokens[end])]
                said = said.strip("".join(QUOTES) + " ")
                if ahead and first > scene.sentence.first and _AND_THE.match(said):
                    said = said[1:]  # «… والنفط تؤكد»; «قال والد القتيل» is no conjunction
                if said:
                    return said
        return None

    def _before(
        self, verb: int, scene: Scene, tokens: list[str], stops: set[int]
    ) -> tuple[int, int]:
        """The words before a verb of saying, from the last «وال…» on."""
        first = verb
        floor = max(scene.sentence.first, verb - MAX_SPEAKER_WORDS)
        while first > floor and not self._ends(tokens[first - 1], first - 1, stops):
            first -= 1
            if _AND_THE.match(tokens[first]):
                break
        return first, verb

    @staticmethod
    def _ends(token: str, at: int, stops: set[int]) -> bool:
        return at in stops or token in PAUSE or token in STOP

    @staticmethod
    def _labels(hits: Iterable[Hit]) -> tuple[str, ...]:
        labels: dict[str, str] = {}  # two spellings of one name are one
        for hit in hits:
            if hit.term.label:
                labels.setdefault(fold(hit.term.label), hit.term.label)
        return tuple(labels.values())

    def names(self, scenes: Iterable[Scene], concepts: tuple[str, ...]) -> tuple[str, ...]:
        mask = self._book.mask(*concepts)
        return self._labels(
            hit for scene in scenes for hit in scene.having(mask) if hit.start >= scene.dateline
        )

    def quantities(
        self, scene: Scene, raw: str, starts: list[int], tokens: list[str]
    ) -> tuple[Quantity, ...]:
        """Numbers with their unit: 70 ألف برميل يومياً, 1400 مرتزق, ثلاثة جنود, مليون و200 ألف
        برميل."""
        hits: dict[int, list[Hit]] = {}
        wanted = self._unit | self._multiplier | self._daily | self._number
        for hit in scene.having(wanted):
            hits.setdefault(hit.start, []).append(hit)  # the longer first

        def one(at: int, mask: int) -> Hit | None:
            return next((hit for hit in hits.get(at, ()) if hit.mask & mask), None)

        found = []
        at, last = scene.sentence.first, scene.sentence.last
        while at < last:
            if _UNTOLD.fullmatch(fold(tokens[at])):
                at += 1
                continue
            begin, total, group = at, 0.0, 0.0  # of «مليون و140 ألف» the million, the 140
            while at < last:
                value, after = _number(tokens, at, last)
                if value is not None and group:
                    break  # «بين 20 و40 ألف»: two numbers
                word = one(at, self._number) if value is None else None
                if word is not None:
                    value, after = float(word.term.label), word.end
                times = one(after if value is not None else at, self._multiplier)
                if value is None and (times is None or (at > begin and not _and(tokens[at]))):
                    break
                if at > begin and not _and(tokens[at]):
                    break
                if value is None:  # «مئة وألف»
                    total, group, value = total + group, 0.0, 1.0
                group += value
                scaled = times is not None
                while times is not None:
                    group, after = group * float(times.term.label), times.end
                    times = one(after, self._multiplier)
                if scaled:
                    total, group = total + group, 0.0
                at = after
            total += group
            if at == begin:
                at += 1
                continue
            unit = one(at, self._unit)
            if unit is None or not total:
                continue
            at, name = unit.end, unit.term.label
            daily = one(at, self._daily)
            if daily is not None and name in ("barrels", "cubic_metres"):
                at, name = daily.end, f"{name}_per_day"
            # «و20 آلية»: the conjunction is no part of it
            start = starts[begin] + (_and(tokens[begin]) and tokens[begin][1:2].isdigit())
            text = raw[start : starts[at - 1] + len(tokens[at - 1])]
            kind = "oil" if name.startswith("barrels") else None
            found.append(Quantity(value=total, unit=name, of=kind, text=text))
        return tuple(found)


def _and(token: str) -> bool:
    """Whether a number goes on from the one before: مليون و200 ألف, مئة وعشرون."""
    return len(token) > 1 and token[0] == "و"


def _number(tokens: list[str], at: int, last: int) -> tuple[float | None, int]:
    digits = fold(tokens[at]).removeprefix("و")
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
