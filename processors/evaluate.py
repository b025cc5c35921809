"""Flags against labels: precision, recall and F1 of themes over articles, and of developments
over the articles where their theme is due.

A labelled article is an object with `text`, `title` (or none), `language` (or none) and
`labels`, each a theme with its level: `dev` (a flag is due; with `developments`) or `mention`
(a flag is neither right nor wrong). A theme without a label is due no flag.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from streams.records import Flag


class Label(msgspec.Struct, frozen=True):
    theme: str
    level: Literal["dev", "mention"] = "dev"
    developments: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


class Labelled(msgspec.Struct, frozen=True):
    """An article with its labels; `id` is what it is called in lists, its line unless given."""

    text: str
    labels: tuple[Label, ...] = ()
    title: str | None = None
    language: str | None = None
    id: str | int | None = None
    n: str | int | None = None


@dataclass(slots=True)
class Score:
    """Counts of right, false and missed."""

    right: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right + self.false else 0.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (2 * self.right + self.false + self.missed) if self.right else 0.0


@dataclass(slots=True)
class Result:
    """What an evaluation found. `outcomes`: (article, theme) → the developments found, where
    a flag was due or is false: what two runs are compared by."""

    themes: dict[str, Score] = field(default_factory=dict)
    developments: dict[str, Score] = field(default_factory=dict)
    missed: list[tuple[str, str]] = field(default_factory=list)  # (article, theme)
    false: list[tuple[str, str]] = field(default_factory=list)
    outcomes: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def evaluate(
    articles: Iterable[tuple[str, Labelled, Iterable[Flag]]], themes: Iterable[str]
) -> Result:
    """Score the flags of articles, each with the name it goes by."""
    result = Result()
    for theme in themes:
        result.themes[theme], result.developments[theme] = Score(), Score()
    for name, article, flags in articles:
        got: dict[str, set[str]] = {}
        for flag in flags:
            got.setdefault(flag.theme, set()).add(flag.development)
        labels = {label.theme: label for label in article.labels}
        for theme, score in result.themes.items():
            label, found = labels.get(theme), got.get(theme, set())
            if label is not None and label.level == "mention":
                continue
            if found or label is not None:
                result.outcomes.setdefault(name, {})[theme] = sorted(found)
            if label is None:
                if found:
                    score.false += 1
                    result.false.append((name, theme))
            elif not found:
                score.missed += 1
                result.missed.append((name, theme))
            else:
                score.right += 1
                due, types = set(label.developments), result.developments[theme]
                types.right += len(due & found)
                types.false += len(found - due)
                types.missed += len(due - found)
    return result


def changes(
    before: Mapping[str, Mapping[str, list[str]]], now: Mapping[str, Mapping[str, list[str]]]
) -> list[tuple[str, str, list[str], list[str]]]:
    """(article, theme, developments before, developments now) wherever two runs differ."""
    found = []
    for name in sorted({*before, *now}):
        earlier, later = before.get(name, {}), now.get(name, {})
        for theme in sorted({*earlier, *later}):
            if earlier.get(theme, []) != later.get(theme, []):
                found.append((name, theme, earlier.get(theme, []), later.get(theme, [])))
    return found
