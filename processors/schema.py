"""What a rule file may hold. The models are what files are checked against and what the
published JSON Schema is made of (`rasid rules schema`), so that the two cannot differ.

Checking keeps the words as they were read: each knows its place (see processors.source),
and a mistake is told with file, line, column and word.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from processors.errors import RuleError
from processors.source import Word
from streams.records import Status

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Texts = Annotated[
    list[Text],
    BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
    Field(json_schema_extra={"description": "one text, or a list of them"}),
]
Country = Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ConceptFile(_Model):
    """Words, phrases and other concepts that mean one thing."""

    nouns: Texts = Field([], description="nouns and adjectives, with their broken plurals")
    verbs: Texts = Field([], description="past/present: خرق/يخرق")
    names: Texts = Field([], description="names: no plural, no pronoun")
    words: Texts = Field([], description="particles and fixed phrases: conjunctions only")
    labelled: dict[Text, Texts] = Field({}, description="label to show: nouns")
    include: Texts = Field([], description="concepts whose words are also of this one")
    sequences: Texts = Field([], description="concepts in a row: force_noun ~1 nationality")
    codes: list[Country] = Field([], description="home countries, * for foreign everywhere")
    masks: bool = Field(False, description="hides what lies inside it")
    extend: bool = Field(False, description="add to a concept there is already")


class ExamplesFile(_Model):
    fire: Texts = Field([], description="texts on which the rule must fire")
    quiet: Texts = Field([], description="texts on which it must not")


class RuleFile(_Model):
    """A development, as concepts near each other."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    status: Literal["stable", "test", "off"] = Field(
        "stable", description="test: said so where it is shown; off: not used"
    )
    title: Text | SkipJsonSchema[None] = None
    development: Text | SkipJsonSchema[None] = None
    weight: float = Field(0.8, ge=0, le=1, description="how sure the pattern alone is")
    match: Texts = Field([], description="concepts, or alternatives a|b, one a piece")
    trigger: Text | SkipJsonSchema[None] = Field(
        None, description="the piece that negation and modality bear on; the first unless given"
    )
    gap: int | SkipJsonSchema[None] = Field(None, ge=0, description="most words between pieces")
    ordered: bool = Field(False, description="whether the pieces come in this order")
    scope: Literal["clause", "sentence"] = "sentence"
    without: Texts = Field([], description="concepts that must not be in the scope")
    between_not: Texts = Field([], description="concepts that must not lie between pieces")
    with_lead: Texts = Field([], description="concepts one of which the lead must have")
    unless: Texts = Field([], description="concepts that headline and first sentence must lack")
    foreign: Text | SkipJsonSchema[None] = Field(
        None, description="the piece that must be a force away from its home"
    )
    negated: Literal["drop", "keep"] = "drop"
    reads_as: Status | SkipJsonSchema[None] = Field(
        None, description="the flag's status, where the words around do not decide it"
    )
    fallback: Literal["lead", "anywhere"] | SkipJsonSchema[None] = Field(
        None, description="counts only where the theme has nothing else"
    )
    unplaced: bool = Field(
        False, description="with foreign: also where nothing says where, nor that it is at home"
    )
    companion: bool = Field(False, description="counts only where the theme has something else")
    examples: ExamplesFile = ExamplesFile()
    false_alarms: Texts = Field([], description="what it is known to fire on wrongly")
    references: Texts = Field([], description="where the pattern was seen, or is described")
    note: Text | SkipJsonSchema[None] = None


class ThemeFile(_Model):
    """A file of a language's folder: concepts, and a theme's rules."""

    title: Text | SkipJsonSchema[None] = None
    source: Text | SkipJsonSchema[None] = None
    concepts: dict[Text, ConceptFile] = {}
    theme: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | SkipJsonSchema[None] = None
    threshold: float | SkipJsonSchema[None] = Field(None, ge=0, le=1)
    anchors: Texts = Field([], description="concepts one of which a sentence must have")
    quiet: Texts = Field([], description="concepts that silence the theme")
    turns: dict[Status | Literal["refused", "purpose"], dict[Text, Text]] = Field(
        {}, description="by status, what a development becomes with it; drop: none"
    )
    overrides: dict[Text, Texts] = Field(
        {}, description="what a development in the headline takes from the text below"
    )
    hosts: list[Country] = Field(
        [], description="where others' affairs are settled: told only where no other country is"
    )
    rules: list[RuleFile] = []


class LanguageFile(_Model):
    """`language.yaml`."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    normaliser: Text = "arabic"
    heads: dict[Text, Texts] = Field({}, description="head nouns of named installations, by kind")


class NamesFile(_Model):
    """A gazetteer's entry with a source of its own."""

    names: Text
    source: Text


Name = Text | NamesFile


class CountryFile(_Model):
    names: list[Name] = []
    adjectives: list[Name] = []
    capital: list[Name] = []
    towns: list[Name] = []
    leaders: list[Name] = []


class BodyFile(_Model):
    """A force, a company, a party, or people of one country."""

    names: list[Name]
    home: list[Country] = []
    theatre: list[Country] = Field([], description="where it acts when nothing says where")
    kind: Text | SkipJsonSchema[None] = None
    role: Text | SkipJsonSchema[None] = None
    source: Text | SkipJsonSchema[None] = None


class CountriesFile(_Model):
    gazetteer: Literal["countries"]
    source: Text
    entries: dict[Country, CountryFile]


class BodiesFile(_Model):
    gazetteer: Literal["forces", "companies", "parties", "people"]
    source: Text
    entries: list[BodyFile]


class InstallationsFile(_Model):
    gazetteer: Literal["installations"]
    source: Text
    entries: dict[Text, dict[Country, list[Name]]]


_GAZETTEERS: Final[dict[str, type[_Model]]] = {
    "countries": CountriesFile,
    "forces": BodiesFile,
    "companies": BodiesFile,
    "parties": BodiesFile,
    "people": BodiesFile,
    "installations": InstallationsFile,
}


def check_file(document: Mapping[Word, Any], model: type[BaseModel], path: Path) -> None:
    """Raise RuleError, with its place, for the first thing in a file that may not be so."""
    try:
        model.model_validate(document)
    except ValidationError as error:
        raise _told(error, document, model, path) from None


def check_gazetteer(document: Mapping[Word, Any], path: Path) -> None:
    """Raise RuleError unless it is a gazetteer of a known kind, with a source."""
    kind = document.get(Word("gazetteer"))
    model = _GAZETTEERS.get(str(kind))
    if model is None:
        place = kind if isinstance(kind, Word) else next(iter(document), None)
        message = f"unknown gazetteer, one of {', '.join(_GAZETTEERS)}"
        if place is None:
            raise RuleError(message, reason="schema", file=str(path))
        raise place.error(message, reason="schema")
    check_file(document, model, path)


def json_schema() -> dict[str, Any]:
    """Of a language's rule files, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ThemeFile.model_json_schema(),
        "title": "Rasid's rule files",
    }


def _told(
    error: ValidationError, document: Mapping[Word, Any], model: type[BaseModel], path: Path
) -> RuleError:
    """The first problem, at the nearest word that knows its place."""
    problem = error.errors(include_url=False)[0]
    place: Word | None = None
    at: Any = document
    for step in problem["loc"]:
        if isinstance(at, dict):
            key = next((k for k in at if k == step), None)
            if key is None:
                continue  # a step of pydantic's own: the branch of a union
            place, at = key if isinstance(key, Word) else place, at[key]
        elif isinstance(at, list) and isinstance(step, int):
            at = at[step]
            if isinstance(at, dict):
                place = next((k for k in at if isinstance(k, Word)), place)
        if isinstance(at, Word):
            place = at
    kind, message = problem["type"], problem["msg"]
    reason = "schema"
    if kind == "extra_forbidden":
        key = str(problem["loc"][-1])
        close = difflib.get_close_matches(key, _keys(model), 1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        message = f"unknown key {key!r}{hint}"
        place = _key(document, problem["loc"]) or place
    elif kind in ("string_too_short", "string_pattern_mismatch") and not str(place or "").strip():
        message, reason = "an empty pattern", "empty"
        place = _key(document, problem["loc"]) or place
    elif kind == "missing":
        message = f"lacks {problem['loc'][-1]!r}"
    elif kind == "literal_error":
        message = f"must be one of {problem['ctx']['expected']}"
    if place is None:
        return RuleError(message, reason=reason, file=str(path), line=1, column=1)
    return place.error(message, reason=reason)


def _key(document: Any, loc: tuple[int | str, ...]) -> Word | None:
    """The last key on the way to a place."""
    found = None
    for step in loc:
        if isinstance(document, dict):
            key = next((k for k in document if k == step), None)
            if key is None:
                continue
            found, document = key if isinstance(key, Word) else found, document[key]
        elif isinstance(document, list) and isinstance(step, int):
            document = document[step]
    return found


def _keys(model: type[BaseModel]) -> set[str]:
    """Every key that a file of this kind may have anywhere."""
    names, todo = set(), [model]
    while todo:
        for name, info in todo.pop().model_fields.items():
            if name not in names:
                names.add(name)
                todo += [m for m in _models(info.annotation) if m is not model]
    return names


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models(part)]
