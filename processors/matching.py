"""A rule over the hits of one sentence: pure, and the same for every language."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from processors.lexicon import Hit, Term, as_read, outermost, unmasked
from processors.rules import Rule, Rulebook, Sequence, met
from processors.text import PAUSE, QUOTES, Sentence

MARKS: Final = PAUSE | QUOTES
_START: Final = attrgetter("start")
MAX_CANDIDATES = 24  # of one item in one sentence: a bound for hostile text


@dataclass(slots=True)
class Scene:
    """A sentence with its hits, and what the rules ask of it."""

    sentence: Sentence
    hits: list[Hit]
    mask: int  # of all hits
    filler: int = 0  # concepts that may stand between the parts of a sequence
    caption: bool = False  # the line under a picture
    dateline: int = 0  # the token behind what says where the report was written
    _having: dict[int, list[Hit]] = field(default_factory=dict)  # the same is asked again

    def having(self, mask: int) -> list[Hit]:
        """The hits of some of these concepts."""
        if not self.mask & mask:
            return []
        hits = self._having.get(mask)
        if hits is None:
            hits = self._having[mask] = [hit for hit in self.hits if hit.mask & mask]
        return hits

    def add(self, hits: list[Hit], mask: int) -> None:
        """Take up hits of these concepts."""
        self.hits = sorted([*self.hits, *hits], key=as_read)
        self.mask |= mask
        self._having.clear()

    def clause_of(self, token: int) -> int:
        return bisect_right(self.sentence.clauses, token)

    def words_between(self, start: int, end: int) -> int:
        """How many words lie between two tokens: commas and quotation marks are none."""
        between = self.sentence.tokens[start:end]
        return len(between) - sum(map(MARKS.__contains__, between))


@dataclass(slots=True)
class Match:
    rule: Rule
    pieces: tuple[Hit, ...]  # in the order of the rule's items
    scene: Scene

    @property
    def trigger(self) -> Hit:
        return self.pieces[self.rule.trigger]

    @property
    def start(self) -> int:
        return min(piece.start for piece in self.pieces)

    @property
    def end(self) -> int:
        return max(piece.end for piece in self.pieces)


def set_scene(book: Rulebook, sentence: Sentence, hits: list[Hit], wanted: int = -1) -> Scene:
    """Hide what masking concepts cover, add the sequences of `wanted` concepts, cut clauses at
    their words."""
    break_words = book.mask("clause_word")
    hits = outermost(unmasked(hits, book.masking))
    mask = 0
    for hit in hits:
        mask |= hit.mask
    scene = Scene(sentence, hits, mask, book.mask("filler"))
    if mask & break_words:
        cuts = {hit.start for hit in hits if hit.mask & break_words}
        sentence.cut(cuts)
    for sequence in book.making(wanted):
        if scene.mask & sequence.parts[0] and met(scene.mask, sequence.parts):
            _compose(sequence, scene)
    return scene


def _compose(sequence: Sequence, scene: Scene) -> None:
    first = scene.having(sequence.parts[0])[:MAX_CANDIDATES]
    found = []
    for hit in first:
        chain = _follow(sequence, scene, 1, hit)
        if chain:
            parts = (hit, *chain)
            codes = tuple(dict.fromkeys(code for part in parts for code in part.codes))
            theatre = tuple(dict.fromkeys(c for part in parts for c in part.term.theatre))
            label = next((part.term.label for part in reversed(parts) if part.term.label), "")
            term = Term("", sequence.mask, codes, label, theatre)
            flags = hit.flags
            found.append(Hit(hit.start, parts[-1].end, sequence.mask, term, flags, codes, parts))
    if found:
        scene.add(found, sequence.mask)


def _follow(sequence: Sequence, scene: Scene, at: int, before: Hit) -> tuple[Hit, ...]:
    if at == len(sequence.steps):
        return ()
    gap, mask = sequence.steps[at]
    if scene.having(mask)[-1].start < before.end:
        return ()
    hits, clauses = scene.hits, scene.sentence.clauses
    next_clause = bisect_right(clauses, before.start)
    limit = clauses[next_clause] if next_clause < len(clauses) else scene.sentence.last
    between = 0  # words passed that no term knows
    end = before.end
    i = bisect_left(hits, end, key=_START)
    while i < len(hits) and (start := hits[i].start) < limit:
        if start > end:
            between += start - end
            if between > gap:
                break
        passable = False
        while i < len(hits) and hits[i].start == start:
            hit = hits[i]
            if hit.mask & mask:
                rest = _follow(sequence, scene, at + 1, hit)
                if rest or at + 1 == len(sequence.steps):
                    return (hit, *rest)
            passable = passable or bool(hit.mask & scene.filler or hit.parts)
            end = max(end, hit.end)
            i += 1
        if not passable:
            break
    return ()


def matches(
    rule: Rule, scene: Scene, allowed: Callable[[Rule, Hit, Scene], bool] | None
) -> list[Match]:
    """Every trigger's nearest match. `allowed` says whether a force is away from home;
    None asks for the words alone."""
    for mask in rule.items:
        if not scene.mask & mask:
            return []
    if rule.without and rule.scope == "sentence" and scene.mask & rule.without:
        return []
    candidates = []
    for i, mask in enumerate(rule.items):
        hits = scene.having(mask)[:MAX_CANDIDATES]
        if i == rule.foreign and allowed is not None:
            hits = [hit for hit in hits if allowed(rule, hit, scene)]
        if not hits:
            return []
        candidates.append(hits)
    found = []
    for trigger in candidates[rule.trigger]:
        pieces = (
            _in_order(rule, scene, candidates, trigger)
            if rule.ordered
            else _around(rule, scene, candidates, trigger)
        )
        if pieces is None:
            continue
        if rule.without and rule.scope == "clause":
            clause = scene.clause_of(trigger.start)
            if any(scene.clause_of(hit.start) == clause for hit in scene.having(rule.without)):
                continue
        match = Match(rule, pieces, scene)
        if rule.between_not and _between(match, scene.having(rule.between_not)):
            continue
        found.append(match)
    return found


def may_match(rule: Rule, scene: Scene) -> bool:
    """Whether a rule matches by its words alone, whichever of the forces is away from home."""
    if matches(rule, scene, None):
        return True
    if rule.foreign < 0:
        return False
    forces = scene.having(rule.items[rule.foreign])  # a nearer one may have stood in the way
    return len(forces) > 1 and any(matches(rule, scene, _only(force)) for force in forces)


def _only(force: Hit) -> Callable[[Rule, Hit, Scene], bool]:
    return lambda _rule, hit, _scene: hit is force


def lacking(rule: Rule, scene: Scene, allowed: Callable[[Rule, Hit, Scene], bool]) -> str | None:
    """For explaining: what keeps a rule from matching a sentence that has all its pieces but
    one. Empty when more is missing, None when it does match."""
    absent = [name for name, mask in zip(rule.names, rule.items, strict=True)
              if not scene.mask & mask]  # fmt: skip
    if absent:
        return f"no {absent[0]}" if len(absent) == 1 and len(rule.items) > 1 else ""
    if rule.without and rule.scope == "sentence" and scene.mask & rule.without:
        return "the sentence has a word that it must be without"
    if not matches(replace(rule, foreign=-1), scene, None):
        loose = replace(rule, foreign=-1, gap=None, scope="sentence", without=0)
        if matches(loose, scene, None):
            return "its pieces are too far apart, or not in one clause"
        if matches(replace(loose, between_not=0), scene, None):
            return "a word that must not lie between its pieces does"
        return "its pieces come in another order, or are one"
    if not matches(rule, scene, allowed):
        return f"{rule.names[rule.foreign]} is at home here"
    return None


def _between(match: Match, barred: list[Hit]) -> bool:
    """Whether a barred word lies between two pieces."""
    return any(
        match.start < hit.start < match.end
        and not any(p.start <= hit.start < p.end for p in match.pieces)
        for hit in barred
    )


def _near(rule: Rule, scene: Scene, one: Hit, other: Hit) -> bool:
    start, end = (one.end, other.start) if other.start >= one.end else (other.end, one.start)
    if end < start:
        return False
    if rule.gap is not None and end - start > rule.gap < scene.words_between(start, end):
        return False
    return rule.scope == "sentence" or scene.clause_of(one.start) == scene.clause_of(other.start)


def _around(
    rule: Rule, scene: Scene, candidates: list[list[Hit]], trigger: Hit
) -> tuple[Hit, ...] | None:
    pieces: list[Hit] = []
    for i, hits in enumerate(candidates):
        if i == rule.trigger:
            pieces.append(trigger)
            continue
        taken = [trigger, *pieces]
        near = [
            hit
            for hit in hits
            if _near(rule, scene, trigger, hit)
            and all(hit.start >= t.end or hit.end <= t.start for t in taken)
        ]
        if not near:
            return None
        pieces.append(
            min(near, key=lambda hit: max(hit.start - trigger.end, trigger.start - hit.end))
        )
    return tuple(pieces)


def _in_order(
    rule: Rule, scene: Scene, candidates: list[list[Hit]], trigger: Hit
) -> tuple[Hit, ...] | None:
    before: list[Hit] = []
    last = trigger
    for i in range(rule.trigger - 1, -1, -1):
        near = [h for h in candidates[i] if h.end <= last.start and _near(rule, scene, h, last)]
        if not near:
            return None
        last = max(near, key=lambda h: h.end)
        before.insert(0, last)
    after: list[Hit] = []
    last = trigger
    for hits in candidates[rule.trigger + 1 :]:
        near = [h for h in hits if h.start >= last.end and _near(rule, scene, last, h)]
        if not near:
            return None
        last = min(near, key=lambda h: h.start)
        after.append(last)
    return (*before, trigger, *after)
