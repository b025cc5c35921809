"""Where it happens, and who is foreign there."""

from collections import defaultdict

from processors.arabic import IN
from processors.lexicon import Hit
from processors.matching import Scene
from processors.rules import Rulebook

ANYWHERE = "*"  # the home of those who are foreign wherever they are (mercenaries)
LOCATIVE_REACH = 3  # words between «في» or «شمال» and the place it introduces


class Gazette:
    """What places one article speaks of, and how much."""

    def __init__(self, book: Rulebook) -> None:
        mask = book.mask
        self.place = mask("country", "town", "capital", "named_installation")
        self.located = mask("town", "named_installation")
        self.adjective = mask("nationality")
        self.party = mask("local_force")
        self.locative = mask("locative")
        self.weights: dict[str, float] = defaultdict(float)
        self.located_weights: dict[str, float] = defaultdict(float)

    def note(self, scene: Scene) -> None:
        """Weigh the places of a sentence; the headline and the lead count more."""
        index = scene.sentence.index
        factor = 4.0 if index < 0 else 3.0 if index == 0 else 1.0
        for hit in scene.having(self.place | self.adjective):
            if hit.parts:
                continue
            share = 0.5 if hit.mask & self.adjective else 1.0
            located = self._is_located(hit, scene)
            if located:
                share += 0.5
            for code in hit.codes:
                self.weights[code] += factor * share
                if located:
                    self.located_weights[code] += factor

    def ranked(self) -> list[str]:
        """Countries of the article: where things are said to be, the most spoken of first,
        then those only named."""
        return sorted(
            self.weights,
            key=lambda code: (-self.located_weights.get(code, 0.0), -self.weights[code]),
        )

    def _is_located(self, hit: Hit, scene: Scene) -> bool:
        """Whether a place is named as a place: «في ليبيا», «بطرابلس», «شمال سوريا»."""
        if hit.flags & IN or hit.mask & self.located:
            return True
        if hit.mask & self.adjective:
            return False
        for other in scene.having(self.locative):
            if 0 <= hit.start - other.end < LOCATIVE_REACH:
                return True
        return False

    def here(self, scene: Scene, start: int, end: int) -> tuple[str, ...]:
        """Countries of the places named as such between two tokens."""
        codes: dict[str, None] = {}
        for hit in scene.having(self.place):
            if start <= hit.start < end and not hit.parts and self._is_located(hit, scene):
                codes.update(dict.fromkeys(hit.codes))
        return tuple(codes)

    def theatre(self, actor: Hit, scene: Scene) -> tuple[str, ...] | None:
        """Countries where `actor` acts that are not its home; None when it is at home.
        Empty when it is foreign, nobody says where."""
        home = set(actor.codes)
        anywhere = ANYWHERE in home
        inside = [p for p in scene.hits if actor.start <= p.start and p.end <= actor.end]
        own = {id(part) for part in inside}
        clause = scene.clause_of(actor.start)
        located, bare, adjectives = [], [], []
        for hit in scene.having(self.place | self.adjective | self.party):
            if hit.parts or id(hit) in own:
                continue
            if hit.mask & self.party:
                bare.append(hit)
            elif hit.mask & self.adjective and not hit.mask & self.place:
                adjectives.append(hit)
            elif self._is_located(hit, scene):
                located.append(hit)
            else:
                bare.append(hit)
        if located:
            near = [hit for hit in located if scene.clause_of(hit.start) == clause] or located
            for group in (near, located):
                away = _codes(group, home)
                if away:
                    return away
            if not anywhere:
                return None
        away = _codes(bare, home)
        if away:
            return away
        away = _codes(adjectives, home)
        if away:
            return away
        if actor.term.theatre:
            return actor.term.theatre
        for code in self.ranked():
            if code not in home:
                return (code,)
            if not anywhere and len(home) == 1:
                return None
        return () if anywhere or len(home) > 1 else None


def _codes(hits: list[Hit], home: set[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c for hit in hits for c in hit.codes if c not in home))
