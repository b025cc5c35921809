"""Is it so, said, denied, asked for, conditional, to come, or long past?

Decided from the words around a match's trigger; which words those are is data (the
concepts negation, denial, past, conditional, expected, call, speech of a language).
"""

from datetime import datetime
from typing import Final

from processors.arabic import IN, TO, WILL
from processors.lexicon import Hit
from processors.matching import Match, Scene
from processors.rules import Rulebook

NEGATION_REACH: Final = 1  # words between «لم» and what it negates
DENIAL_REACH: Final = 10
REFUSAL_REACH: Final = 3
YEAR_REACH: Final = 8
EARLIEST_NOW: Final = 2010  # no feed is older: a text that names only earlier years looks back
MARKER_REACH: Final = 10
ASKED_REACH: Final = 20  # «دعا» and a long name, then «إلى مغادرة»
UNDERGONE_REACH: Final = 6
ATTACKS: Final = {"attacked", "strike"}
REFUSED: Final = "refused"  # what is refused has not happened; a theme may say what it is then
PURPOSE: Final = "purpose"  # striven for; where a theme makes nothing of it, what it says holds
# Words before a year that make it none of the news: as they are folded.
_SINCE: Final = {"منذ", "since", "depuis"}
_DATED: Final = (
    "هدنة", "تفاهم", "اتفاق", "اتفاقية", "معاهدة", "قرار", "القرار", "خطوط", "حدود",
    "agreement", "resolution", "treaty", "accord",
)  # fmt: skip
_MADE: Final = {"الموقع", "الموقعة", "المبرم", "المبرمة", "المتفق", "المعقود", "المعقودة"}
_FACTORS: Final = {
    "past": 0.3, "background": 0.65, "conditional": 0.8, "expected": 0.95, "called_for": 0.95,
    "denied": 0.9, "reported": 1.0, "asserted": 1.0,
}  # fmt: skip


class Modality:
    """The judge of one article's matches."""

    def __init__(
        self,
        book: Rulebook,
        published: datetime | None,
        tokens: list[str],
        headline: int = 0,  # how many of the tokens are the headline
    ) -> None:
        mask = book.mask
        self._negation = mask("negation")
        self._denial = mask("denial")
        self._refusal = mask("refusal")
        self._past = mask("past")
        self._met_with = mask("met_with")
        self._undergone = mask("undergone")
        self._asked = mask("asked_for")
        self._may = mask("may")
        self._unit = mask("unit")
        self._background = mask("background")
        self._was = mask("recalled_was")
        self._which = mask("relative")
        self._then = mask("recalled_when")
        self._since = mask("recalled_since")
        self._markers = (
            ("conditional", mask("conditional")),
            ("called_for", mask("call")),
            ("expected", mask("expected")),
        )
        self._speech = mask("speech")
        self._fold = book.lexicon.normaliser.fold
        self._headline = headline
        self._published = published.year if published else None
        self._tokens = tokens
        self._told: list[int] = []  # the article's latest year, once asked for

    @property
    def _now(self) -> int:
        """The year it is: of publication, else the latest the article names."""
        if self._published is not None:
            return self._published
        if not self._told:
            self._told.append(_latest_year(self._tokens))
        return self._told[0]

    def judge(self, match: Match, tokens: list[str]) -> tuple[str | None, float]:
        """Status (None: the match does not hold), the factor of its score."""
        rule, scene, trigger = match.rule, match.scene, match.trigger
        if rule.negated == "drop":
            for hit in scene.having(self._negation):
                near = 0 <= trigger.start - hit.end <= NEGATION_REACH  # no mark between
                if near and not _piece_of(hit, match):
                    return None, 0.0
        if self._is_past(match, tokens) or self._looks_back():
            return "past", _FACTORS["past"]
        clause = scene.clause_of(trigger.start)
        for hit in scene.having(self._background):
            if hit.start <= trigger.start and not _piece_of(hit, match):
                return "past", _FACTORS["background"]
        for hit in scene.having(self._denial):
            if (
                _before(scene, hit, trigger, DENIAL_REACH)
                and scene.clause_of(hit.start) == clause
                and not _piece_of(hit, match)
            ):
                return "denied", _FACTORS["denied"]
        for hit in scene.having(self._refusal):
            if (
                _before(scene, hit, trigger, REFUSAL_REACH)
                and scene.clause_of(hit.start) == clause
                and not _piece_of(hit, match)
            ):
                return REFUSED, _FACTORS["denied"]
        if rule.reads_as is not None:
            return rule.reads_as, 1.0
        for hit in scene.having(self._met_with):
            if (
                0 <= hit.start - trigger.end <= MARKER_REACH
                and scene.clause_of(hit.start) == clause
            ):
                return "conditional", _FACTORS["conditional"]
        if trigger.flags & TO and not self._is_undergone(match):  # للتوصل إلى هدنة: striven for
            return PURPOSE, _FACTORS["expected"]
        if trigger.flags & WILL or self._is_possible(match, tokens):
            return "expected", _FACTORS["expected"]
        asked = trigger.flags & IN or any(
            hit.end == trigger.start for hit in scene.having(self._asked)
        )
        for status, mask in self._markers:
            reach = ASKED_REACH if asked and status == "called_for" else MARKER_REACH
            for hit in scene.having(mask):
                if (
                    (_before(scene, hit, trigger, reach) or _ends_in(hit, trigger))
                    and (status == "called_for" or scene.clause_of(hit.start) == clause)
                    and not _piece_of(hit, match)
                ):
                    return status, _FACTORS[status]
        return ("reported" if scene.mask & self._speech else "asserted"), 1.0

    def _is_possible(self, match: Match, tokens: list[str]) -> bool:
        """Whether a verb of the present stands behind «قد»: «قد تنسحب», not «قد انسحبت»."""
        scene, trigger = match.scene, match.trigger
        verb = self._fold(tokens[trigger.start])
        return (verb[0] == "ي" or (verb[0] in "تن" and verb[-1] != "ت")) and any(
            hit.end == trigger.start for hit in scene.having(self._may)
        )

    def _is_undergone(self, match: Match) -> bool:
        """Whether the ل before a trigger is that of what came upon somebody: «تعرضت لقصف»."""
        scene, trigger = match.scene, match.trigger
        return any(
            _before(scene, hit, trigger, UNDERGONE_REACH) for hit in scene.having(self._undergone)
        )

    def recalls(self, match: Match) -> bool:
        """Whether a match looks like what an article recalls beside its news: «وكانت … أغلقت»,
        «التي قصفت …», «في مايو», «بعد أيام من قصف …». Told alone it is as often the news itself."""
        scene = match.scene
        first = scene.sentence.first
        dated = bool(scene.mask & self._then) or any(
            _year(token) for token in scene.sentence.tokens[first : scene.sentence.last]
        )
        if dated and scene.sentence.index > 0:
            return True
        if any(hit.end == match.start for hit in scene.having(self._which)):
            return True
        clause = scene.clause_of(match.trigger.start)
        for hit in scene.having(self._since):
            if hit.end <= match.trigger.start and scene.clause_of(hit.start) == clause:
                return True
        if match.rule.development in ATTACKS:
            return False  # «وكان الميناء تعرض لهجوم» tells why what is told has come about
        begins = any(hit.start <= first + 1 for hit in scene.having(self._was))
        return begins and (dated or not scene.mask & self._background)

    def _looks_back(self) -> bool:
        """Whether the headline names a year gone by: all below it is history."""
        for at, token in enumerate(self._tokens[: self._headline]):
            year = _year(token)
            if year is not None and year < self._now - 2 and not self._names(at, self._tokens):
                return True
        return False

    def _names(self, at: int, tokens: list[str]) -> bool:
        """Whether a year is but the name of an agreement (تفاهم 2003, الموقع عام 2003)."""
        if any(self._fold(token) in _MADE for token in tokens[max(0, at - 3) : at]):
            return True
        before = self._fold(tokens[at - 1]) if at else ""
        return before.endswith(_DATED)

    def _is_past(self, match: Match, tokens: list[str]) -> bool:
        scene = match.scene
        clause = scene.clause_of(match.trigger.start)
        for hit in scene.having(self._past):
            made = hit.start > 0 and self._fold(tokens[hit.start - 1]) in _MADE
            if scene.clause_of(hit.start) == clause and not _piece_of(hit, match) and not made:
                return True
        counted = {hit.start for hit in scene.having(self._unit)}
        for at in range(scene.sentence.first, scene.sentence.last):
            year = _year(tokens[at])
            if year is None or scene.clause_of(at) != clause:
                continue
            if at + 1 in counted:
                continue  # «1960 جنديا»
            if match.start - YEAR_REACH <= at < match.end + YEAR_REACH:
                now = self._now
                if year < now - 1 and not self._lasting(at, tokens) and not self._names(at, tokens):
                    return True
        return False

    def _lasting(self, at: int, tokens: list[str]) -> bool:
        """Whether a year only says since when (منذ آذار 2013)."""
        return any(self._fold(token).lower() in _SINCE for token in tokens[max(0, at - 4) : at])


def _before(scene: Scene, hit: Hit, trigger: Hit, reach: int) -> bool:
    """Whether a word stands before a trigger, at most `reach` words away."""
    return hit.end <= trigger.start and scene.words_between(hit.end, trigger.start) <= reach


def _ends_in(hit: Hit, trigger: Hit) -> bool:
    """Whether a marker is told with the trigger: «على القوات الأجنبية الخروج»."""
    return hit.start < trigger.start and hit.end == trigger.end


def _piece_of(hit: Hit, match: Match) -> bool:
    return any(p.start <= hit.start and hit.end <= p.end for p in match.pieces)


def _year(token: str) -> int | None:
    if len(token) in (4, 5) and token[:4].isdigit():
        year = int(token[:4])
        if 1900 <= year <= 2029:
            return year
    return None


def _latest_year(tokens: list[str]) -> int:
    years = [year for token in tokens if (year := _year(token)) is not None]
    return max([*years, EARLIEST_NOW])
