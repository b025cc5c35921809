"""Rule files to a rulebook. What does not fit together is a RuleError with its place.

A language is a folder: `language.yaml` (its tag and normaliser, the head nouns that make a
name an installation) and any number of files holding `concepts` or a `theme` with its
`rules`. The folder `shared` holds gazetteers: names in all scripts, of which each language
takes its own (see processors.gazetteer).

    concepts:
      truce: {nouns: [هدنة|هدن], include: [armistice]}   # words, phrases, other concepts
      foreign_unit: {sequences: [force_noun ~2 nationality]} # made of hits near each other
      minefield: {nouns: [حقل ألغام], masks: true}       # hides what lies inside it
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from processors.gazetteer import GAZETTEER_CONCEPTS, gazetteer_terms
from processors.glance import Glance
from processors.lexicon import CLASSES, NORMALISERS, Lexicon, Term
from processors.places import CONCEPTS, NOTED
from processors.rules import Rule, Rulebook, Sequence, Theme
from processors.source import Word
from streams.records import DEVELOPMENTS


@dataclass(slots=True)
class _Concept:
    name: Word
    terms: list[tuple[Word, int, str]] = field(default_factory=list)  # text, class, label
    include: list[Word] = field(default_factory=list)
    sequences: list[Word] = field(default_factory=list)
    codes: tuple[str, ...] = ()
    masks: bool = False
    theme: str = ""  # whose file it stands in; empty: for all


def _strings(value: Any) -> list[Word]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


class _Compiler:
    def __init__(self, settings: Mapping[Any, Any]) -> None:
        language: Word = settings["language"]
        normaliser = settings.get("normaliser", "arabic")
        if normaliser not in NORMALISERS:
            raise normaliser.error(
                f"unknown normaliser, one of {', '.join(NORMALISERS)}", reason="unknown"
            )
        self.heads: Mapping[str, Any] = settings.get(Word("heads")) or {}
        self.script = str(normaliser)
        self.lexicon = Lexicon(NORMALISERS[normaliser])
        self.language = str(language)
        self.concepts: dict[str, _Concept] = {
            name: _Concept(Word(name)) for name in GAZETTEER_CONCEPTS
        }
        self.themes: dict[str, tuple[Theme, dict[str, tuple[int, Word, Mapping[Any, Any]]]]] = {}
        self.bits: dict[str, int] = {}
        self._pending: list[tuple[Theme, str, Word]] = []
        self.sequences: list[Sequence] = []

    def read(self, document: Mapping[Word, Any], root: int) -> None:
        """Take up a file of the bundled rules (root 0) or of a user's folder; what a later
        root says of a rule stands."""
        theme_name = document.get(Word("theme"))
        for name, body in (document.get(Word("concepts")) or {}).items():
            self._read_concept(name, body, str(theme_name or ""))
        if theme_name is not None:
            self._read_theme(theme_name, document, root)

    def _read_concept(self, name: Word, body: Mapping[Word, Any], theme: str) -> None:
        full: str = name
        known = self.concepts.get(name)
        if known and known.theme not in ("", theme) and "extend" not in body:
            full = f"{theme}.{name}"  # another theme has one of this name; each means its own
            known = self.concepts.get(full)
        if known and name not in GAZETTEER_CONCEPTS and "extend" not in body:
            raise name.error(
                "a concept defined twice: `extend: true` adds to it", reason="duplicate"
            )
        concept = known or _Concept(name, theme=theme)
        self.concepts[full] = concept
        for key, value in body.items():
            if key in CLASSES:
                concept.terms += [(text, CLASSES[key], "") for text in _strings(value)]
            elif key == "labelled":
                for label, texts in value.items():
                    concept.terms += [
                        (text, CLASSES["nouns"], str(label)) for text in _strings(texts)
                    ]
            elif key == "include":
                concept.include += _strings(value)
            elif key == "sequences":
                concept.sequences += _strings(value)
            elif key == "codes":
                concept.codes = tuple(map(str, _strings(value)))
            elif key == "masks":
                concept.masks = value
        if not (concept.terms or concept.include or concept.sequences):
            raise name.error("a concept without words", reason="empty")

    def _read_theme(self, name: Word, document: Mapping[Word, Any], root: int) -> None:
        theme, rules = self.themes.setdefault(name, (Theme(str(name)), {}))
        theme.threshold = float(document.get(Word("threshold"), theme.threshold))
        for status, turn in (document.get(Word("turns")) or {}).items():
            theme.turns.setdefault(str(status), {}).update(
                {str(before): str(after) for before, after in turn.items()}
            )
        for development, others in (document.get(Word("overrides")) or {}).items():
            theme.overrides[str(development)] = frozenset(_strings(others))
        theme.hosts |= set(map(str, document.get(Word("hosts")) or ()))
        for key in ("anchors", "quiet"):
            for concept in _strings(document.get(Word(key))):
                self._pending.append((theme, key, concept))
        bodies: list[dict[Any, Any]] = document.get(Word("rules")) or []
        for body in bodies:
            word: Word = body["id"]
            before = rules.get(word)
            if before is not None and before[0] == root:
                raise word.error("a rule's id used twice", reason="duplicate")
            if before is not None and body.get("status") == "off":
                body = {**before[2], Word("status"): "off"}
            rules[word] = (root, word, body)

    def compile(self, shared: Iterable[Mapping[Word, Any]]) -> Rulebook:
        for i, name in enumerate(self.concepts):
            self.bits[name] = 1 << i
        into: dict[str, list[tuple[str, Word]]] = {}
        for name, concept in self.concepts.items():
            for included in concept.include:
                into.setdefault(self._named(included, concept.theme), []).append((name, included))
        masks = {name: self._closure(name, into) for name in self.concepts}
        self.lexicon.apart = sum(self.bits[n] for n, of in self.concepts.items() if of.masks)
        for name, concept in self.concepts.items():
            for text, kind, label in concept.terms:
                term = Term(str(text), masks[name], concept.codes, label)
                try:
                    self.lexicon.add(term, kind)
                except ValueError as error:
                    raise text.error("an empty pattern", reason="empty") from error
        tail = sum(self.bits.get(name, 0) for name in NOTED)
        for gazetteer in shared:
            for term, kind, name in gazetteer_terms(
                gazetteer, self.lexicon.normaliser.script, self.heads
            ):
                term.mask = masks[name]
                if term.theatre:
                    tail |= self.bits[name]
                self.lexicon.add(term, kind)
        for name, concept in self.concepts.items():
            for text in concept.sequences:
                steps = self._steps(text, concept.theme)
                parts = tuple(part for _, part in steps)
                self.sequences.append(Sequence(masks[name], steps, parts))
        sequences = self.sequences
        for theme, key, concept_name in self._pending:
            bits = self._mask_of(concept_name, theme.name)
            if key == "anchors":
                theme.anchors |= bits
            else:
                theme.quiet |= bits
        masking = self._masking()
        for theme, rules in self.themes.values():
            for _, word, body in rules.values():
                if body.get("status") != "off":
                    theme.rules.append(self._rule(theme, word, body))
        themes = [theme for theme, _ in self.themes.values()]
        for theme in themes:
            self._check_anchors(theme, masks)
        all_rules = [rule for theme in themes for rule in theme.rules]
        glance = Glance(
            [rule.items for rule in all_rules], [(of.mask, of.parts) for of in sequences]
        )
        self.lexicon.tells = glance.tells
        self.lexicon.clear()
        return Rulebook(
            self.language, self.lexicon, glance, self.bits, sequences, themes, all_rules,
            masking, self.script, self._context(themes, sum(masking)),
            reduce(or_, (theme.quiet for theme in themes), tail),
        )  # fmt: skip

    def _check_anchors(self, theme: Theme, masks: Mapping[str, int]) -> None:
        """A sentence is only looked at when it has an anchor: each rule needs one, but for
        companions, which are looked for where others are found."""
        anchored = {self.bits[name] for name, mask in masks.items() if mask & theme.anchors}
        for rule in theme.rules:
            if rule.companion:
                continue
            bits = ({bit for bit in self.bits.values() if bit & item} for item in rule.items)
            if not any(of <= anchored for of in bits):
                raise rule.word.error(
                    f"no item of this rule is an anchor of {theme.name}", reason="schema"
                )

    def _masking(self) -> dict[int, int]:
        """What masks, by theme, and what it leaves alone: other themes' own concepts."""
        own: dict[str, int] = {}
        masks: dict[str, int] = {}
        for name, concept in self.concepts.items():
            bits = masks if concept.masks else own
            bits[concept.theme] = bits.get(concept.theme, 0) | self.bits[name]
        return {
            bits: sum(of for other, of in own.items() if theme and other not in ("", theme))
            for theme, bits in masks.items()
        }

    def _context(self, themes: Iterable[Theme], masking: int) -> int:
        """Concepts that the article as a whole is judged by: places, what silences a theme,
        what rules ask of headline and lead."""
        context = masking
        # A name inside a longer one of any gazetteer is none of its own.
        for name in (*GAZETTEER_CONCEPTS, *CONCEPTS, "caption", "related"):
            context |= self.bits.get(name, 0)
        for theme in themes:
            context |= theme.quiet
            for rule in theme.rules:
                context |= rule.unless | rule.with_lead
        return context

    def _closure(self, name: str, into: Mapping[str, Iterable[tuple[str, Word]]]) -> int:
        """The concept's bit and those of all that include it. `into`: of a concept, those that
        do, with the words that say so."""
        mask, todo, seen = 0, [name], {name}
        while todo:
            current = todo.pop()
            mask |= self.bits[current]
            for other, included in into.get(current, ()):
                if other == name:
                    raise included.error("a circle of concepts", reason="circle")
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return mask

    def _named(self, name: Word, theme: str) -> str:
        """The concept a theme means by a name: its own, else the one there is."""
        own = f"{theme}.{name}"
        if own in self.concepts:
            return own
        if name not in self.concepts:
            close = difflib.get_close_matches(name, self.concepts, 1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise name.error(f"unknown concept {str(name)!r}{hint}", reason="unknown")
        return name

    def _mask_of(self, text: Word, theme: str) -> int:
        """Bits of `a|b`."""
        mask = 0
        for name in text.split("|"):
            part = Word(name)
            part.file, part.line, part.column = text.file, text.line, text.column
            mask |= self.bits[self._named(part, theme)]
        return mask

    def _masks_of(self, value: Any, theme: str) -> int:
        mask = 0
        for name in _strings(value):
            mask |= self._mask_of(name, theme)
        return mask

    def _steps(self, text: Word, theme: str) -> tuple[tuple[int, int], ...]:
        steps, gap = [], 0
        for piece in text.split():
            if piece[0] == "~":
                gap = int(piece[1:] or 1)
                continue
            part = Word(piece)
            part.file, part.line, part.column = text.file, text.line, text.column
            steps.append((gap, self._mask_of(part, theme)))
            gap = 0
        return tuple(steps)

    def _rule(self, theme: Theme, word: Word, body: Mapping[Any, Any]) -> Rule:
        development = body.get("development")
        allowed = DEVELOPMENTS.get(theme.name)
        if development is None or (allowed is not None and development not in allowed):
            raise (development or word).error(
                f"unknown development of {theme.name}, one of {', '.join(allowed or ())}",
                reason="unknown",
            )
        match = _strings(body.get("match"))
        if not match:
            raise word.error("a rule without match", reason="empty")
        reads_as = body.get("reads_as")
        examples = body.get("examples") or {}
        return Rule(
            id=f"{theme.name}.{word}",
            theme=theme.name,
            development=str(development),
            title=str(body.get("title") or ""),
            status=str(body.get("status", "stable")),
            weight=float(body.get("weight", 0.8)),
            items=tuple(self._mask_of(item, theme.name) for item in match),
            names=tuple(map(str, match)),
            trigger=self._index(body.get("trigger"), match, 0),
            gap=body.get("gap"),
            ordered=body.get("ordered", False),
            scope=str(body.get("scope", "sentence")),
            without=self._masks_of(body.get("without"), theme.name),
            between_not=self._masks_of(body.get("between_not"), theme.name),
            with_lead=self._masks_of(body.get("with_lead"), theme.name),
            unless=self._masks_of(body.get("unless"), theme.name),
            foreign=self._index(body.get("foreign"), match, -1),
            negated=str(body.get("negated", "drop")),
            reads_as=str(reads_as) if reads_as is not None else None,  # type: ignore[arg-type]
            fallback=str(body.get("fallback") or ""),
            unplaced=body.get("unplaced", False),
            companion=body.get("companion", False),
            fire=tuple(_strings(examples.get("fire"))),
            quiet=tuple(_strings(examples.get("quiet"))),
            word=word,
        )

    def _index(self, value: Word | None, match: list[Word], default: int) -> int:
        if value is None:
            return default
        if value not in match:
            raise value.error("is no item of this rule's match", reason="unknown")
        return match.index(value)


def compile_language(
    settings: Mapping[Word, Any],
    documents: Iterable[tuple[int, Mapping[Word, Any]]],
    shared: Iterable[Mapping[Word, Any]],
) -> Rulebook:
    """One language's rulebook, of files that were checked (processors.schema), each with the
    number of the folder it is from. Raises RuleError."""
    compiler = _Compiler(settings)
    for root, document in documents:
        compiler.read(document, root)
    return compiler.compile(shared)
