"""Where it happens, and who is foreign there."""

from collections import defaultdict
from collections.abc import Set as AbstractSet

from processors.arabic import IN
from processors.lexicon import Hit
from processors.matching import Scene
from processors.rules import Rule, Rulebook

# What is asked of every sentence, also of those that no rule may match (Rulebook.context).
CONCEPTS = frozenset(
    ("country", "town", "capital", "named_installation", "nationality", "local_force", "locative",
     "land", "frontier", "inside", "from_across", "fired_shell", "strike_verb", "from_word",
     "homeward")
)  # fmt: skip
# A sentence without any says nothing of where, but for the forces that tell where they act.
NOTED = ("country", "town", "capital", "named_installation", "nationality")
ANYWHERE = "*"  # the home of those who are foreign wherever they are (mercenaries)
HEADLINE = 3.0  # weight of a place that headline or first sentence names
PASSING = 0.5  # share of the weight of the most named below which a country is named in passing
HOSTED = 0.3  # the same of a host's weight (both: countries right in 0.80 of themes, 0.72 before)
LOCATIVE_REACH = 3  # words between «في» or «شمال» and the place it introduces


class Gazette:
    """What places one article speaks of, and how much."""

    def __init__(self, book: Rulebook) -> None:
        def mask(*names: str) -> int:
            assert CONCEPTS.issuperset(names), "a sentence is not searched for others"
            return book.mask(*names)

        self.place = mask("country", "town", "capital", "named_installation")
        self.located = mask("town", "named_installation")
        self.adjective = mask("nationality")
        self.party = mask("local_force")
        self.locative = mask("locative")
        self.capital = mask("capital")
        self.town = mask("country", "town", "named_installation")
        self.land = mask("land")  # «أراضي»: what an adjective after it makes a place
        self.frontier = mask("frontier")  # «الحدود مع»: beside the place, not in it
        self.inside = mask("inside")
        self.origin = mask("from_across")  # «من داخل الأراضي»: whence a missile comes
        self.fired = mask("fired_shell")
        self.struck = mask("strike_verb")
        self.whence = mask("from_word")
        self.homeward = mask("homeward")  # «عودة»: what «من اليمن» behind it is whence
        self.named: set[str] = set()  # countries spoken of otherwise than by a town
        self.towns: dict[str, set[int]] = defaultdict(set)
        self.written: dict[str, None] = {}  # where the report was written, if it says so
        self.sides: dict[str, None] = {}  # homes of the parties that are named
        self.weights: dict[str, float] = defaultdict(float)
        self.located_weights: dict[str, float] = defaultdict(float)

    def note(self, scene: Scene) -> None:
        """Weigh the places of a sentence; the headline and the lead count more."""
        index = scene.sentence.index
        factor = 4.0 if index < 0 else 3.0 if index == 0 else 1.0
        for hit in scene.hits:
            if hit.parts:
                continue
            for code in hit.term.theatre:  # «تحالف دعم الشرعية»: news of Yemen
                self.named.add(code)
                self.weights[code] += factor * 0.5
            if hit.mask & self.party:
                self.sides.update(dict.fromkeys(hit.codes))
            if not hit.mask & (self.place | self.adjective):
                continue
            if self._is_beyond(hit, scene):
                continue
            if hit.start < scene.dateline:
                self.written.update(dict.fromkeys(hit.codes))
                continue
            share = 0.5 if hit.mask & self.adjective else 1.0
            located = self.is_place(hit, scene)
            if located:
                share += 0.5
            for code in hit.codes:
                if hit.mask & self.located and hit.end - hit.start == 1:
                    self.towns[code].add(id(hit.term))
                else:
                    self.named.add(code)
                self.weights[code] += factor * share
                if located:
                    self.located_weights[code] += factor

    def is_sure(self, code: str) -> bool:
        """Whether more than one name of a town, which may be another word, speaks for it."""
        return code in self.named or len(self.towns[code]) > 1

    def ranked(self) -> list[str]:
        """Countries of the article: where things are said to be, the most spoken of first,
        then those only named, then where it was written."""
        told = sorted(
            self.weights,
            key=lambda code: (-self.located_weights.get(code, 0.0), -self.weights[code]),
        )
        return [*told, *(code for code in self.written if code not in self.weights)]

    def weighed(self, codes: tuple[str, ...], hosts: AbstractSet[str]) -> tuple[str, ...]:
        """Of the countries that a sentence names those that the article speaks of most; another
        instead of a host («في الدوحة») where it speaks of another about as much, or names a party
        of another («رد حماس»)."""
        if not codes:
            return ()
        most = max(self.weights.get(code, 0.0) for code in codes)
        codes = tuple(code for code in codes if self.weights.get(code, 0.0) >= PASSING * most)
        others = tuple(code for code in codes if code not in hosts)
        if others:
            return others
        other = next((code for code in self.ranked() if code not in hosts), "")
        if self.weights.get(other, 0.0) < HOSTED * most:
            other = next((code for code in self.sides if code not in hosts), "")
        return (other,) if other else codes

    def is_place(self, hit: Hit, scene: Scene) -> bool:
        """Whether a place is named as a place: «في ليبيا», «بطرابلس», «شمال سوريا», «الأراضي
        السورية»."""
        if hit.flags & IN or hit.mask & self.located:
            return True
        if hit.mask & self.adjective and not hit.mask & self.place:
            return self._follows(hit, scene, self.land, 0)
        if self._follows(hit, scene, self.locative, LOCATIVE_REACH - 1):
            return True
        # «قصفت إسرائيل دمشق»; elsewhere a capital is as often its government
        return bool(hit.mask & self.capital) and self._follows(hit, scene, self.struck, 1)

    @staticmethod
    def _follows(hit: Hit, scene: Scene, mask: int, reach: int) -> bool:
        return any(0 <= hit.start - other.end <= reach for other in scene.having(mask))

    def _is_beyond(self, hit: Hit, scene: Scene) -> bool:
        """Whether a place is only what something lies beside: «قرب الحدود مع سوريا»."""
        return self._follows(hit, scene, self.frontier, 0)

    def here(self, scene: Scene, start: int, end: int) -> tuple[str, ...]:
        """Countries of the places named as such between two tokens."""
        codes: dict[str, None] = {}
        for hit in scene.having(self.place):
            if hit.start < max(start, scene.dateline) or hit.start >= end or hit.parts:
                continue
            if self.is_place(hit, scene):
                codes.update(dict.fromkeys(hit.codes))
        return tuple(codes)

    def is_away(self, rule: Rule, actor: Hit, scene: Scene) -> bool:
        """Whether `actor` acts away from its home."""
        if self.theatre(actor, scene) is not None:
            return True
        # «غارة إسرائيلية على بلدة …»: of a village nobody lists
        home = {*actor.codes, *self.written}
        return rule.unplaced and home.issuperset(self.weights) and not self.located_weights

    def theatre(self, actor: Hit, scene: Scene) -> tuple[str, ...] | None:
        """Countries where `actor` acts that are not its home; None when it is at home.
        Empty when it is foreign, nobody says where."""
        home = set(actor.codes)
        if not actor.parts:  # «السوداني» is a prime minister, and of a country
            for hit in scene.hits:
                if hit.start == actor.start and hit.end == actor.end:
                    home.update(hit.codes)
        anywhere = ANYWHERE in home
        several = len(actor.codes) > 1
        if self._is_setting(actor, scene):
            return None
        located, bare, adjectives = self._evidence(actor, scene)
        left = [hit for hit in (*located, *bare) if self._is_left(hit, scene)]
        suspect = not anywhere and any(self.located_weights.get(code) for code in home)
        if suspect:
            located = [hit for hit in located if any(map(self.is_sure, hit.codes))]
        if located:
            clause = scene.clause_of(actor.start)
            near = [hit for hit in located if scene.clause_of(hit.start) == clause]
            for group in (near, located):
                away = self._away(group, home)
                if away:
                    return away
            away = self._away(left, home)
            if away:
                return away
            if not anywhere and near:
                return None
        away = self._away([hit for hit in bare if hit.mask & self.town], home)
        if away:
            return away
        if actor.mask & self.party and not actor.parts:
            return None  # a party of the country is at home unless a place away is named
        away = self._away([hit for hit in bare if hit.mask & self.party], home)
        if not away and not self.land:  # a language that does not tell lands from governments
            away = self._away(bare, home) or self._away(adjectives, home)
        if away:
            return away
        if actor.term.theatre:
            return actor.term.theatre
        for code in self.ranked():
            prominent = self.located_weights.get(code, 0.0) >= HEADLINE or (
                code in self.written and not self.located_weights
            )
            if not anywhere and not self.is_sure(code) and (suspect or not prominent):
                continue
            if code not in home:
                return (code,)
            if not anywhere and not several and self.located_weights.get(code):
                return None
        return () if anywhere or several else None

    def _is_setting(self, actor: Hit, scene: Scene) -> bool:
        """Whether a state is named as where something is: «قوات الحشد في العراق»."""
        if actor.parts or not actor.mask & (self.place | self.adjective):
            return False
        if self._is_beyond(actor, scene):
            return True
        return bool(actor.flags & IN) or self._follows(actor, scene, self.inside, 0)

    def _is_left(self, place: Hit, scene: Scene) -> bool:
        """Whether a place is where those were who come home: «عاد الجنود من مالي إلى باريس»."""
        return self._follows(place, scene, self.whence, 0) and any(
            word.start < place.start for word in scene.having(self.homeward)
        )

    def _evidence(self, actor: Hit, scene: Scene) -> tuple[list[Hit], list[Hit], list[Hit]]:
        """What a sentence says of where: places named as such, places and parties only
        named, adjectives; without the actor's own words."""
        fired = bool(scene.mask & self.fired)
        own = {id(p) for p in scene.hits if actor.start <= p.start and p.end <= actor.end}
        located, bare, adjectives = [], [], []
        for hit in scene.having(self.place | self.adjective | self.party):
            if hit.parts or hit.start < scene.dateline or id(hit) in own:
                continue
            if self._is_beyond(hit, scene):
                continue
            if fired and self._follows(hit, scene, self.origin, 0):
                continue
            if hit.mask & self.party:
                bare.append(hit)
            elif self.is_place(hit, scene):
                located.append(hit)
            elif hit.mask & self.adjective and not hit.mask & self.place:
                adjectives.append(hit)
            else:
                bare.append(hit)
        return located, bare, adjectives

    @staticmethod
    def _away(hits: list[Hit], home: set[str]) -> tuple[str, ...]:
        """Countries that are not home. A name of places in several countries (رفح) is at
        home where one of them is."""
        domestic = {(hit.start, hit.end) for hit in hits if not home.isdisjoint(hit.codes)}
        return tuple(
            dict.fromkeys(
                str(code)
                for hit in hits
                if (hit.start, hit.end) not in domestic
                for code in hit.codes
                if code not in home
            )
        )
