"""Rule files to a rulebook: read, checked, compiled. A mistake is a RuleError with its place.

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
from pathlib import Path
from typing import Any, Final, get_args

from processors.errors import RuleError
from processors.gates import Gatekeeper
from processors.gazetteer import GAZETTEER_CONCEPTS, PLACE_NAMES, gazetteer_terms
from processors.lexicon import CLASSES, NORMALISERS, Lexicon, Term
from processors.rules import Rule, Rulebook, Sequence, Theme
from processors.source import Word
from streams.records import DEVELOPMENTS, Status

SCOPES: Final = ("clause", "sentence")
FALLBACKS: Final = ("lead", "anywhere")
NEGATED: Final = ("drop", "keep")


@dataclass(slots=True)
class _Concept:
    name: Word
    terms: list[tuple[Word, int, str]] = field(default_factory=list)  # text, class, label
    include: list[Word] = field(default_factory=list)
    sequences: list[Word] = field(default_factory=list)
    codes: tuple[str, ...] = ()
    masks: bool = False


def _check_keys(mapping: Mapping[Any, Any], allowed: Iterable[str], what: str) -> None:
    known = set(allowed)
    for key in mapping:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise key.error(f"unknown key {str(key)!r} of {what}{hint}", reason="schema")


def _strings(value: Any, key: Word) -> list[Word]:
    values = value if isinstance(value, list) else [value]
    for item in values:
        if not isinstance(item, Word):
            raise key.error("words are expected", reason="schema")
        if not item.strip():
            raise item.error("an empty pattern", reason="empty", word=str(key))
    return values


class _Compiler:
    def __init__(self, language: str, settings: Mapping[Word, Any], place: Word) -> None:
        normaliser = settings.get(Word("normaliser"), "arabic")
        if normaliser not in NORMALISERS:
            raise place.error(f"unknown normaliser {normaliser!r}", reason="unknown")
        self.heads: Mapping[str, Any] = settings.get(Word("heads")) or {}
        self.script = str(normaliser)
        self.lexicon = Lexicon(NORMALISERS[normaliser])
        self.language = language
        self.concepts: dict[str, _Concept] = {
            name: _Concept(Word(name)) for name in GAZETTEER_CONCEPTS
        }
        self.themes: dict[str, tuple[Theme, list[tuple[Word, Mapping[str, Any]]]]] = {}
        self.bits: dict[str, int] = {}
        self._pending: list[tuple[Theme, str, Word]] = []

    def read(self, document: Mapping[Word, Any]) -> None:
        _check_keys(
            document,
            (
                "concepts",
                "theme",
                "threshold",
                "anchors",
                "quiet",
                "turns",
                "overrides",
                "rules",
                "title",
            ),
            "a rule file",
        )
        for name, body in (document.get(Word("concepts")) or {}).items():
            self._read_concept(name, body)
        theme_name = document.get(Word("theme"))
        if theme_name is not None:
            self._read_theme(theme_name, document)

    def _read_concept(self, name: Word, body: Any) -> None:
        if not isinstance(body, dict):
            raise name.error("a concept is a mapping", reason="schema")
        _check_keys(
            body, (*CLASSES, "include", "sequences", "codes", "masks", "labelled"), "a concept"
        )
        known = self.concepts.get(name)
        if known is not None and known.name and name not in GAZETTEER_CONCEPTS:
            raise name.error("a concept defined twice", reason="duplicate")
        concept = known or _Concept(name)
        self.concepts[name] = concept
        for key, value in body.items():
            if key in CLASSES:
                concept.terms += [(text, CLASSES[key], "") for text in _strings(value, key)]
            elif key == "labelled":
                for label, texts in value.items():
                    concept.terms += [
                        (text, CLASSES["nouns"], str(label)) for text in _strings(texts, label)
                    ]
            elif key == "include":
                concept.include += _strings(value, key)
            elif key == "sequences":
                concept.sequences += _strings(value, key)
            elif key == "codes":
                concept.codes = tuple(_strings(value, key))
            else:
                concept.masks = bool(value)
        if not (concept.terms or concept.include or concept.sequences):
            raise name.error("a concept without words", reason="empty")

    def _read_theme(self, name: Word, document: Mapping[Word, Any]) -> None:
        theme, rules = self.themes.setdefault(name, (Theme(str(name)), []))
        for key, value in document.items():
            if key == "threshold":
                theme.threshold = float(value)
            elif key == "turns":
                for status, turn in value.items():
                    theme.turns[str(status)] = {str(a): str(b) for a, b in turn.items()}
            elif key == "overrides":
                for development, others in value.items():
                    theme.overrides[str(development)] = frozenset(_strings(others, development))
            elif key == "rules":
                if not isinstance(value, list):
                    raise key.error("rules are a list", reason="schema")
                for rule in value:
                    if not isinstance(rule, dict) or not isinstance(rule.get(Word("id")), Word):
                        raise key.error("each rule is a mapping with an id", reason="schema")
                    rules.append((rule[Word("id")], rule))
            elif key in ("anchors", "quiet"):
                for concept in _strings(value, key):
                    self._pending.append((theme, str(key), concept))

    def compile(self, shared: Iterable[Mapping[Word, Any]]) -> Rulebook:
        for i, name in enumerate(self.concepts):
            self.bits[name] = 1 << i
        masks = {name: self._closure(name) for name in self.concepts}
        closures = {self.bits[name]: mask for name, mask in masks.items()}
        for name, concept in self.concepts.items():
            for text, kind, label in concept.terms:
                term = Term(str(text), masks[name], concept.codes, label)
                try:
                    self.lexicon.add(term, kind)
                except ValueError as error:
                    raise text.error("an empty pattern", reason="empty") from error
        for gazetteer in shared:
            for term, kind, name in gazetteer_terms(
                gazetteer, self.lexicon.normaliser.script, self.heads
            ):
                term.mask = masks[name]
                self.lexicon.add(term, kind)
        sequences = [
            Sequence(masks[name], self._steps(text))
            for name, concept in self.concepts.items()
            for text in concept.sequences
        ]
        for theme, key, concept_name in self._pending:
            bits = self._mask_of(concept_name)
            if key == "anchors":
                theme.anchors |= bits
            else:
                theme.quiet |= bits
        for theme, rules in self.themes.values():
            seen: set[str] = set()
            for word, body in rules:
                if word in seen:
                    raise word.error("a rule's id used twice", reason="duplicate")
                seen.add(word)
                theme.rules.append(self._rule(theme, word, body))
        themes = [theme for theme, _ in self.themes.values()]
        masking = sum(self.bits[name] for name, concept in self.concepts.items() if concept.masks)
        everywhere = 0
        for name in PLACE_NAMES:
            everywhere |= self.bits[name]
        keeper = Gatekeeper(sequences, self.lexicon.counts, closures, everywhere)
        gates, _ = keeper.gates(themes, lead=False)
        lead_gates, self.lexicon.watched = keeper.gates(themes, lead=True)
        return Rulebook(
            self.language, self.lexicon, self.bits, sequences, themes, masking, self.script,
            gates, lead_gates,
        )  # fmt: skip

    def _closure(self, name: str) -> int:
        """The concept's bit and those of all that include it."""
        mask, todo, seen = 0, [name], {name}
        while todo:
            current = todo.pop()
            mask |= self.bits[current]
            for other, concept in self.concepts.items():
                for included in concept.include:
                    self._known(included)
                    if included == current:
                        if other == name:
                            raise included.error("a circle of concepts", reason="circle")
                        if other not in seen:
                            seen.add(other)
                            todo.append(other)
        return mask

    def _known(self, name: Word) -> None:
        if name not in self.concepts:
            close = difflib.get_close_matches(name, self.concepts, 1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise name.error(f"unknown concept {str(name)!r}{hint}", reason="unknown")

    def _mask_of(self, text: Word) -> int:
        """Bits of `a|b`."""
        mask = 0
        for name in text.split("|"):
            part = Word(name)
            part.file, part.line, part.column = text.file, text.line, text.column
            self._known(part)
            mask |= self.bits[name]
        return mask

    def _masks_of(self, value: Any, word: Word) -> int:
        mask = 0
        for name in _strings(value or [], word):
            mask |= self._mask_of(name)
        return mask

    def _steps(self, text: Word) -> tuple[tuple[int, int], ...]:
        steps, gap = [], 0
        for piece in text.split():
            if piece[0] == "~":
                gap = int(piece[1:] or 1)
                continue
            part = Word(piece)
            part.file, part.line, part.column = text.file, text.line, text.column
            steps.append((gap, self._mask_of(part)))
            gap = 0
        return tuple(steps)

    def _rule(self, theme: Theme, word: Word, body: Mapping[str, Any]) -> Rule:
        _check_keys(
            body,
            ("id", "development", "title", "weight", "match", "trigger", "gap", "ordered", "scope",
             "without", "between_not", "with_lead", "unless", "fallback", "foreign", "negated",
             "status", "examples", "note", "false_alarms"),
            "a rule",
        )  # fmt: skip
        development = body.get("development")
        allowed = DEVELOPMENTS.get(theme.name)
        if development is None or (allowed is not None and development not in allowed):
            place = development if isinstance(development, Word) else word
            raise place.error(
                f"unknown development of {theme.name}, one of {', '.join(allowed or ())}",
                reason="unknown",
            )
        match = _strings(body.get("match") or [], word)
        if not match:
            raise word.error("a rule without match", reason="empty")
        scope, negated = body.get("scope", "sentence"), body.get("negated", "drop")
        if body.get("fallback", "lead") not in FALLBACKS:
            raise word.error("fallback is lead or anywhere", reason="schema")
        if scope not in SCOPES or negated not in NEGATED:
            raise word.error("scope is clause or sentence, negated drop or keep", reason="schema")
        without = self._masks_of(body.get("without"), word)
        between_not = self._masks_of(body.get("between_not"), word)
        status = body.get("status")
        if status is not None and status not in get_args(Status):
            raise word.error(f"unknown status {status!r}", reason="unknown")
        examples = body.get("examples") or {}
        _check_keys(examples, ("fire", "quiet"), "examples")
        return Rule(
            id=f"{theme.name}.{word}",
            theme=theme.name,
            development=str(development),
            weight=float(body.get("weight", 0.8)),
            items=tuple(self._mask_of(item) for item in match),
            names=tuple(map(str, match)),
            trigger=self._index(body.get("trigger"), match, word, 0),
            gap=body.get("gap"),
            ordered=bool(body.get("ordered", False)),
            scope=str(scope),
            without=without,
            between_not=between_not,
            with_lead=self._masks_of(body.get("with_lead"), word),
            unless=self._masks_of(body.get("unless"), word),
            foreign=self._index(body.get("foreign"), match, word, -1),
            negated=str(negated),
            status=str(status) if status is not None else None,  # type: ignore[arg-type]
            fallback=str(body.get("fallback", "")),
            fire=tuple(_strings(examples.get("fire") or [], word)),
            quiet=tuple(_strings(examples.get("quiet") or [], word)),
            word=word,
        )

    def _index(self, value: Any, match: list[Word], word: Word, default: int) -> int:
        if value is None:
            return default
        if value not in match:
            place = value if isinstance(value, Word) else word
            raise place.error("is no item of this rule's match", reason="unknown")
        return match.index(value)


def compile_language(
    settings: Mapping[Word, Any],
    documents: Iterable[Mapping[Word, Any]],
    shared: Iterable[Mapping[Word, Any]],
    folder: Path,
) -> Rulebook:
    """One language's rulebook. Raises RuleError."""
    tag = settings.get(Word("language"))
    if not isinstance(tag, Word):
        raise RuleError("language.yaml names no language", reason="schema", file=str(folder))
    compiler = _Compiler(str(tag), settings, tag)
    for document in documents:
        compiler.read(document)
    return compiler.compile(shared)
