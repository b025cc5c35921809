"""A floor on labelled articles: our own, and those written without sight of the rules."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from processors.flagger import Document, Flagger, load_flagger
from streams.records import THEMES

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


def articles(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def f1(tally: list[int]) -> float:
    found, false, missed = tally
    return 2 * found / (2 * found + false + missed) if found else 0.0


def measure(flagger: Flagger, name: str) -> tuple[dict[str, float], float, list[str]]:
    """F1 of each theme over articles, F1 of developments where a theme is due, and what
    went wrong. A theme only mentioned counts neither way."""
    themes: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    types = [0, 0, 0]
    wrong = []
    for article in articles(name):
        flags = flagger.flag(Document(article["title"], article["text"], "ar"))
        labels = {label["theme"]: label for label in article["labels"]}
        for theme in THEMES:
            got = {flag.development for flag in flags if flag.theme == theme}
            label = labels.get(theme)
            if label is None:
                themes[theme][1] += bool(got)
            elif label["level"] == "dev":
                themes[theme][0 if got else 2] += 1
                if got:
                    due = set(label["developments"])
                    types = [
                        types[0] + len(due & got),
                        types[1] + len(got - due),
                        types[2] + len(due - got),
                    ]
            if bool(got) != (label is not None) and (label is None or label["level"] == "dev"):
                wrong.append(f"{article['n']} {theme} {sorted(got)} {article['title']}")
    return {theme: f1(tally) for theme, tally in themes.items()}, f1(types), wrong


def test_our_own_articles(flagger: Flagger) -> None:
    assert len(articles("articles.jsonl")) >= 60
    by_theme, developments, wrong = measure(flagger, "articles.jsonl")
    assert min(by_theme.values()) >= 0.97, wrong
    assert developments >= 0.9


def test_blind_articles(flagger: Flagger) -> None:
    by_theme, developments, wrong = measure(flagger, "blind.jsonl")
    assert min(by_theme.values()) >= 0.85, wrong
    assert developments >= 0.75


def test_countries_are_where_it_happens(flagger: Flagger) -> None:
    right = due = 0
    for article in articles("articles.jsonl"):
        flags = flagger.flag(Document(article["title"], article["text"], "ar"))
        for label in article["labels"]:
            told = [flag for flag in flags if flag.theme == label["theme"]]
            if told and label["countries"]:
                due += 1
                right += set(told[0].countries) == set(label["countries"])
    assert right / due >= 0.9
