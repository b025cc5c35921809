"""Document in, flags out: pure, the same text and rules give the same flags.

    words | known? | sentences | terms | rules | statuses | one flag an event

A text without any word that a rule waits for ends after the second step.
"""

import gc
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from processors.compiler import compile_language
from processors.errors import RuleError
from processors.events import Found, Part, events, make_flag
from processors.evidence import Evidence
from processors.lexicon import Hit
from processors.matching import Match, Scene, matches
from processors.modality import PURPOSE, REFUSED
from processors.places import Gazette
from processors.reading import LEAD_SENTENCES, Reading, read
from processors.reading import Document as Document  # what callers of `flag` make
from processors.rules import Rule, Rulebook, Theme
from processors.schema import LanguageFile, ThemeFile, check_file, check_gazetteer
from processors.source import Word, read_yaml
from streams.records import Flag

TAIL = 6  # the sentence from which on an article tells of what was before
LATE = 10  # and that from which on a theme told nowhere else is hardly its news
LATE_SCORE = 0.7  # of 49 real articles with flags from there on only, 28 fall below, 2 of them news
NAMED = 0.1  # share of the most named place below which a country is not where it happens
BUNDLED = Path(__file__).parent / "rules"
DROP = "drop"  # what a theme turns a development into that is none with a status
_ARABIC = re.compile("[\u0620-\u064a\ufb50-\ufdff\ufe70-\ufefc]+")
_LATIN = re.compile("[A-Za-z]+")
_PREFERRED = ("ar", "en")  # of the languages of one script, for a text that does not say


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
        book = self.book(document)
        if book is None:
            return []
        reading = read(book, document)
        return [] if reading is None else self.flags(reading)

    def book(self, document: Document) -> Rulebook | None:
        """The rules of the text's language: as it says, unless its script says otherwise."""
        language = (document.language or "").split("-")[0].lower()
        sample = document.title[:100] + document.text[:200]
        arabic, latin = (sum(map(len, of.findall(sample))) for of in (_ARABIC, _LATIN))
        script = "arabic" if arabic * 2 > latin else "latin"
        book = self.books.get(language)
        if book is not None and book.script == script:
            return book
        return self._by_script.get(script)

    def read(self, document: Document) -> Reading | None:
        """A document taken apart in full. None when no rules are for its language."""
        book = self.book(document)
        return None if book is None else read(book, document, whole=True)

    def flags(self, reading: Reading) -> list[Flag]:
        """The flags of a document taken apart."""
        found: list[Found] = []
        for theme in reading.book.themes:
            found += _placed(_at_home(self.found(reading, theme)), reading.gazette)
        evidence = Evidence(reading.book)
        thresholds = {theme.name: needed(theme, found) for theme in reading.book.themes}
        flags = []
        for group in events(found):
            flag = make_flag(group, evidence)
            if flag.score >= thresholds[flag.theme]:
                flags.append(flag)
        return sorted(flags, key=lambda f: (-f.score, f.theme, f.development, f.countries))

    def found(self, reading: Reading, theme: Theme) -> list[Found]:
        """Every match of a theme's rules that counts, below the threshold too."""
        if theme.quiet and _is_quiet(theme.quiet, reading.scenes):
            return []
        found = self._search(reading, theme, fallback=False)
        if not any(item.score >= theme.threshold for item in found):
            found += self._search(reading, theme, fallback=True)
        if any(item.score >= theme.threshold for item in found):
            found += self._search(reading, theme, companion=True)
        return _news(theme, _overridden(theme, found))

    def _search(
        self, reading: Reading, theme: Theme, *, fallback: bool = False, companion: bool = False
    ) -> list[Found]:
        """All matches of a theme's rules, of those to fall back on, or of the companions."""
        found = []
        for part, scene, rules in reading.live:
            if not companion and not scene.mask & theme.anchors:
                continue
            for rule in rules:
                if rule.theme != theme.name or rule.companion != companion:
                    continue
                if not companion and bool(rule.fallback) != fallback:
                    continue
                if reading.bars(rule, scene):
                    continue
                for match in matches(rule, scene, reading.is_away):
                    item = self._judged(reading, theme, part, match)
                    if item is not None:
                        found.append(item)
        return found

    def _judged(self, reading: Reading, theme: Theme, part: Part, match: Match) -> Found | None:
        """What a match means; None when the words around it take it back."""
        rule = match.rule
        status, factor = reading.modality.judge(match, part.tokens)
        if status is None:
            return None
        turn = theme.turns.get(status, {})
        development = turn.get(rule.development) or turn.get("*", rule.development)
        if development == DROP:
            return None
        if status == REFUSED:
            if rule.development not in turn and "*" not in turn:
                return None
            status = "denied"
        elif status == PURPOSE:
            status = "expected"
        score = rule.weight * factor * _position(match.scene, reading.sentences)
        countries = reading.gazette.weighed(self._countries(reading.gazette, match), theme.hosts)
        recalled = reading.modality.recalls(match)
        return Found(match, part, development, status, score, countries, recalled)

    @staticmethod
    def _countries(gazette: Gazette, match: Match) -> tuple[str, ...]:
        rule = match.rule
        if rule.foreign >= 0:
            return gazette.theatre(match.pieces[rule.foreign], match.scene) or ()
        places = [hit for hit in match.pieces if hit.mask & gazette.place]
        # «الجزائر تنفي إرسال قوات إلى ليبيا»: a state is no place before one is named.
        for own in (
            _codes(hit for hit in places if gazette.is_place(hit, match.scene)),
            gazette.here(match.scene, 0, 1 << 30),
            _codes(places),
        ):
            if own:
                return own
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


def needed(theme: Theme, found: Iterable[Found]) -> float:
    """The score that a theme's flags need, where these are the matches of an article."""
    told = [i.match.scene.sentence.index for i in found if i.match.rule.theme == theme.name]
    late = min(told, default=0) >= LATE
    return max(theme.threshold, LATE_SCORE) if late else theme.threshold


def _at_home(found: list[Found]) -> list[Found]:
    """Of matches of one theme: the home of a force that is told to act elsewhere is not where it
    acts («موسكو تنفي» beside «روس في ليبيا»)."""
    homes = {
        code
        for item in found
        if item.match.rule.foreign >= 0
        for code in item.match.pieces[item.match.rule.foreign].codes
    }
    away = tuple(dict.fromkeys(c for item in found for c in item.countries if c not in homes))
    if not away:
        return found
    return [
        item if item.match.rule.foreign >= 0 or homes.isdisjoint(item.countries)
        else replace(item, countries=tuple(c for c in item.countries if c not in homes) or away[:1])
        for item in found
    ]  # fmt: skip


def _placed(found: list[Found], gazette: Gazette) -> list[Found]:
    """Of matches of one theme: a country that is hardly named as a place, where another of the
    theme is, is that of a government or an army that is spoken of («أعلنت البحرين مقتل خمسة من
    جنودها» beside «في مأرب»)."""
    weights = gazette.located_weights
    told = dict.fromkeys(code for item in found for code in item.countries)
    most = max(told, key=lambda code: weights.get(code, 0.0), default="")
    least = NAMED * weights.get(most, 0.0)
    there = {code for code in told if weights.get(code, 0.0) >= least}
    return [
        item if there.issuperset(item.countries)
        else replace(item, countries=tuple(c for c in item.countries if c in there) or (most,))
        for item in found
    ]  # fmt: skip


def _codes(hits: Iterable[Hit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for hit in hits for code in hit.codes))


def _overridden(theme: Theme, found: list[Found]) -> list[Found]:
    """Without what the headline takes back: «تنفي وصول قوات» tells how to read the text."""
    taken: frozenset[str] = frozenset()
    for item in found:
        if item.field.name == "title" and item.score >= theme.threshold:
            taken |= theme.overrides.get(item.development, frozenset())
    return [i for i in found if i.field.name == "title" or i.development not in taken]


def _news(theme: Theme, found: list[Found]) -> list[Found]:
    """Without what is recalled, where other things are told; and without what only the tail
    tells, where two are told before."""
    sure = [i for i in found if not i.recalled and i.score >= theme.threshold]
    if not sure:
        return found
    early = {i.development for i in sure if i.match.scene.sentence.index < TAIL}
    return [
        item for item in found
        if not item.recalled
        and (
            len(early) < 2
            or item.match.scene.sentence.index < TAIL
            or item.development in early
        )
    ]  # fmt: skip


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
    if index < LEAD_SENTENCES:
        return 1.0
    return 0.92 if index < 8 or index < count * 0.6 else 0.85


def load_flagger(folders: Sequence[Path] = (), *, check_examples: bool = True) -> Flagger:
    """The bundled rules and those of the users' folders. Raises RuleError."""
    with _no_collection():
        flagger = _load(folders)
        if check_examples:
            flagger.check()
    return flagger


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without looks for garbage: loading makes some 200,000 objects and drops none, and the
    looks would take twice the time of the loading."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            # Into the oldest generation, unlooked at: else the first look goes through them all.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def rules_digest(folders: Sequence[Path] = ()) -> str:
    """What a Flagger of these rules would have as its `digest`. Raises RuleError."""
    digest = hashlib.sha256()
    for _, path in _files(folders):
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise RuleError(f"cannot be read: {error}", reason="missing", file=str(path)) from error
    return digest.hexdigest()[:16]


def _files(folders: Sequence[Path]) -> Iterator[tuple[int, Path]]:
    """Rule files with the number of the folder they are from, the bundled ones' 0."""
    for number, root in enumerate([BUNDLED, *folders]):
        if not root.is_dir():
            raise RuleError("no such folder of rules", reason="missing", file=str(root))
        for path in sorted(root.glob("*/*.yaml")):
            yield number, path


def _load(folders: Sequence[Path]) -> Flagger:
    shared: list[dict[Word, Any]] = []
    languages: dict[str, tuple[dict[Word, Any], list[tuple[int, dict[Word, Any]]]]] = {}
    for number, path in _files(folders):
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
    return Flagger(books, rules_digest(folders))
