"""Document in, flags out: pure, the same text and rules give the same flags.

    words | known? | sentences | hits | scenes | rules | statuses | one flag an event

A text without any anchor of a theme ends after the second step.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from processors.compiler import compile_language
from processors.errors import RuleError
from processors.events import Found, Part, events, make_flag
from processors.evidence import Evidence
from processors.lexicon import Hit, concepts_of
from processors.matching import Match, Scene, matches, set_scene
from processors.modality import PURPOSE, REFUSED, Modality
from processors.places import Gazette
from processors.rules import Rule, Rulebook, Theme
from processors.schema import LanguageFile, ThemeFile, check_file, check_gazetteer
from processors.source import Word, read_yaml
from processors.text import sentences, words
from streams.records import Flag

BUNDLED = Path(__file__).parent / "rules"
_LEAD_SENTENCES = 3
_CONTEXT_SENTENCES = 8
_ARABIC = re.compile("[\u0620-\u064a]")
_LATIN = re.compile("[A-Za-z]")
_PREFERRED = ("ar", "en")  # of the languages of one script, for a text that does not say


@dataclass(frozen=True, slots=True)
class Document:
    """What flagging needs of an article."""

    title: str
    text: str
    language: str | None = None
    source: str | None = None
    source_country: str | None = None
    published: datetime | None = None


@dataclass(slots=True)
class Reading:
    """One document as the rules see it."""

    book: Rulebook
    scenes: list[tuple[Part, Scene]]
    gazette: Gazette
    modality: Modality
    sentences: int  # of the text
    opening: int  # concepts of headline and first sentence
    lead: int  # of the whole lead

    def is_away(self, rule: Rule, hit: Hit, scene: Scene) -> bool:
        """Whether a force acts away from its home."""
        return self.gazette.theatre(hit, scene) is not None

    def bars(self, rule: Rule, scene: Scene) -> str:
        """Why the article as a whole does not let a rule count here; empty when it does."""
        if rule.unless & self.opening:
            return "its headline or first sentence speaks of what the rule must not have there"
        if rule.fallback == "lead" and scene.sentence.index >= _LEAD_SENTENCES:
            return "it counts in the lead only"
        if rule.with_lead and not rule.with_lead & self.lead:
            return "its lead lacks what the rule must have there"
        return ""


class Flagger:
    """Rules of several languages. Not for sharing between threads (token caches)."""

    def __init__(self, books: dict[str, Rulebook], digest: str) -> None:
        self.books = books
        self._by_script: dict[str, Rulebook] = {}
        for language in (*_PREFERRED, *books):
            if language in books:
                self._by_script.setdefault(books[language].script, books[language])
        self.digest = digest

    def flag(self, document: Document) -> list[Flag]:
        """Every development found, the strongest first. Never raises for any text."""
        book = self._book(document)
        if book is None:
            return []
        look = book.lexicon.__getitem__
        title, text = words(document.title), words(document.text)
        title_entries, text_entries = list(map(look, title)), list(map(look, text))
        anchors = book.lexicon.anchors
        if anchors.isdisjoint(text_entries) and anchors.isdisjoint(title_entries):
            return []
        fields = [
            Part("title", document.title, title, title_entries,
                   sentences(title, headline=True)),
            Part("text", document.text, text, text_entries, sentences(text)),
        ]  # fmt: skip
        if not any(self._promising(book, part) for part in fields):
            return []
        return self._read(_reading(book, document, fields))

    @staticmethod
    def _promising(book: Rulebook, part: Part) -> bool:
        """Whether some rule's pieces stand together in some sentence, whoever is foreign."""
        break_words = book.mask("clause_word")
        anchors = book.lexicon.anchors
        for sentence in part.sentences:
            known = set(part.entries[sentence.first : sentence.last])
            if anchors.isdisjoint(known):
                continue
            lead = sentence.index < _LEAD_SENTENCES
            if not book.possible(concepts_of(known), lead=lead):
                continue
            hits = book.lexicon.find(part.tokens, part.entries, sentence.first, sentence.last)
            scene = set_scene(book, sentence, hits, break_words)
            for theme in book.themes:
                if scene.mask & theme.anchors:
                    for rule in theme.rules:
                        if (lead or rule.fallback != "lead") and matches(rule, scene, None):
                            return True
        return False

    def _book(self, document: Document) -> Rulebook | None:
        """The rules of the text's language: as it says, unless its script says otherwise."""
        language = (document.language or "").split("-")[0].lower()
        sample = document.title[:200] + document.text[:600]
        arabic = len(_ARABIC.findall(sample))
        script = "arabic" if arabic * 2 > len(_LATIN.findall(sample)) else "latin"
        book = self.books.get(language)
        if book is not None and book.script == script:
            return book
        return self._by_script.get(script)

    def read(self, document: Document) -> "Reading | None":
        """A document taken apart: what rules are tried on. None when no rules are for it."""
        book = self._book(document)
        if book is None:
            return None
        fields = []
        for name, raw in (("title", document.title), ("text", document.text)):
            tokens = words(raw)
            entries = list(map(book.lexicon.__getitem__, tokens))
            fields.append(
                Part(name, raw, tokens, entries, sentences(tokens, headline=name == "title"))  # type: ignore[arg-type]
            )
        return _reading(book, document, fields)

    def _read(self, reading: "Reading") -> list[Flag]:
        found: list[Found] = []
        for theme in reading.book.themes:
            found += self.found(reading, theme)
        evidence = Evidence(reading.book)
        thresholds = {theme.name: theme.threshold for theme in reading.book.themes}
        flags = []
        for group in events(found):
            flag = make_flag(group, evidence)
            if flag.score >= thresholds[flag.theme]:
                flags.append(flag)
        return sorted(flags, key=lambda f: (-f.score, f.theme, f.development, f.countries))

    def found(self, reading: "Reading", theme: Theme) -> list[Found]:
        """Every match of a theme's rules that counts, below the threshold too."""
        if theme.quiet and _is_quiet(theme.quiet, reading.scenes):
            return []
        certain = self._search(reading, theme, False)
        if not any(item.score >= theme.threshold for item in certain):
            certain += self._search(reading, theme, True)
        return _overridden(theme, certain)

    def _search(self, reading: "Reading", theme: Theme, fallback: bool) -> list[Found]:
        """All matches of a theme's rules, or of those to fall back on."""
        found = []
        for part, scene in reading.scenes:
            if not scene.mask & theme.anchors:
                continue
            for rule in theme.rules:
                if bool(rule.fallback) != fallback or reading.bars(rule, scene):
                    continue
                for match in matches(rule, scene, reading.is_away):
                    item = self._judged(reading, theme, part, match)
                    if item is not None:
                        found.append(item)
        return found

    def _judged(self, reading: "Reading", theme: Theme, part: Part, match: Match) -> Found | None:
        """What a match means; None when the words around it take it back."""
        rule = match.rule
        status, factor = reading.modality.judge(match, part.tokens)
        if status is None:
            return None
        turn = theme.turns.get(status, {})
        development = turn.get(rule.development) or turn.get("*", rule.development)
        if status == REFUSED:
            if rule.development not in turn and "*" not in turn:
                return None
            status = "denied"
        elif status == PURPOSE:
            status = "expected"
        score = rule.weight * factor * _position(match.scene, reading.sentences)
        countries = self._countries(reading.gazette, match)
        return Found(match, part, development, status, score, countries)

    @staticmethod
    def _countries(gazette: Gazette, match: Match) -> tuple[str, ...]:
        rule = match.rule
        if rule.foreign >= 0:
            return gazette.theatre(match.pieces[rule.foreign], match.scene) or ()
        own = tuple(
            dict.fromkeys(
                code for hit in match.pieces if hit.mask & gazette.place for code in hit.codes
            )
        )
        if own:
            return own
        here = gazette.here(match.scene, 0, 1 << 30)
        if here:
            return here
        return tuple(gazette.ranked()[:1])

    def examples(self) -> Iterable[tuple[Rule, Word, bool, bool]]:
        """Each rule's examples: (rule, text, must fire, fired)."""
        for language, book in self.books.items():
            for theme in book.themes:
                for rule in theme.rules:
                    for text, due in [
                        *((t, True) for t in rule.fire), *((t, False) for t in rule.quiet)
                    ]:  # fmt: skip
                        fired = any(
                            flag.rule == rule.id
                            or (
                                due
                                and (flag.theme, flag.development) == (rule.theme, rule.development)
                            )
                            for flag in self.flag(Document("", str(text), language=language))
                        )
                        yield rule, text, due, fired

    def check(self) -> None:
        """Raise RuleError for the first example that does not hold."""
        for rule, text, due, fired in self.examples():
            if due != fired:
                verb = "does not fire on" if due else "fires on"
                raise text.error(f"rule {rule.id} {verb} its example", reason="example")


def _reading(book: Rulebook, document: Document, fields: list[Part]) -> Reading:
    break_words = book.mask("clause_word")
    caption, related = book.mask("caption"), book.mask("related")
    scenes: list[tuple[Part, Scene]] = []
    gazette = Gazette(book)
    opening = lead = 0
    for part in fields:
        for sentence in part.sentences:
            hits = book.lexicon.find(part.tokens, part.entries, sentence.first, sentence.last)
            if hits:
                scene = set_scene(book, sentence, hits, break_words)
                if part.name == "text":
                    if _begins(scene, related):
                        continue  # «اقرأ أيضا: …» tells of another article
                    scene.caption = _begins(scene, caption)
                gazette.note(scene)
                scenes.append((part, scene))
                if sentence.index <= 0:
                    opening |= scene.mask
                if sentence.index < _CONTEXT_SENTENCES:
                    lead |= scene.mask
    tokens = [token for part in fields for token in part.tokens]
    modality = Modality(book, document.published, tokens, len(fields[0].tokens))
    count = max(1, len(fields[1].sentences))
    return Reading(book, scenes, gazette, modality, count, opening, lead)


def _begins(scene: Scene, mask: int) -> bool:
    """Whether a line of the text begins with a word of these concepts."""
    first = scene.sentence.first
    return any(hit.start <= first + 1 for hit in scene.having(mask))  # a bracket may precede


def _overridden(theme: Theme, found: list[Found]) -> list[Found]:
    """Without what the headline takes back: «تنفي وصول قوات» tells how to read the text."""
    taken: frozenset[str] = frozenset()
    for item in found:
        if item.field.name == "title" and item.score >= theme.threshold:
            taken |= theme.overrides.get(item.development, frozenset())
    return [i for i in found if i.field.name == "title" or i.development not in taken]


def _is_quiet(quiet: int, scenes: Sequence[tuple[Part, Scene]]) -> bool:
    """Whether the article is of another world: its headline says so, or two sentences."""
    told = [scene.sentence.index for _, scene in scenes if scene.mask & quiet]
    return bool(told) and (told[0] < 0 or len(told) >= 2)


def _position(scene: Scene, count: int) -> float:
    """The headline and the lead weigh more than the tail; what stands under a picture may be
    old."""
    index = scene.sentence.index
    if scene.caption:
        return 0.6
    if index < _LEAD_SENTENCES:
        return 1.0
    return 0.92 if index < 8 or index < count * 0.6 else 0.85


def load_flagger(folders: Sequence[Path] = (), *, check_examples: bool = True) -> Flagger:
    """The bundled rules and those of the users' folders. Raises RuleError."""
    digest = hashlib.sha256()
    shared: list[dict[Word, Any]] = []
    languages: dict[str, tuple[dict[Word, Any], list[tuple[int, dict[Word, Any]]]]] = {}
    for number, root in enumerate([BUNDLED, *folders]):
        if not root.is_dir():
            raise RuleError("no such folder of rules", reason="missing", file=str(root))
        for path in sorted(root.glob("*/*.yaml")):
            digest.update(path.read_bytes())
            document = read_yaml(path)
            if path.parent.name == "shared":
                check_gazetteer(document, path)
                shared.append(document)
                continue
            settings, documents = languages.setdefault(path.parent.name, ({}, []))
            if path.name == "language.yaml":
                check_file(document, LanguageFile, path)
                settings.update(document)
            else:
                check_file(document, ThemeFile, path)
                documents.append((number, document))
    for name, (settings, _) in languages.items():
        if not settings:
            raise RuleError("has no language.yaml", reason="missing", file=name)
    books = {
        name: compile_language(settings, documents, shared)
        for name, (settings, documents) in languages.items()
    }
    flagger = Flagger(books, digest.hexdigest()[:16])
    if check_examples:
        flagger.check()
    return flagger
