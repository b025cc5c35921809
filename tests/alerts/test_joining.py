"""An event joins the story told about the same place or in the same words.

`events.jsonl` was written before the decider was tuned, by someone who had not seen it;
`dispatches.jsonl`, `bulletins.jsonl` and `flashes.jsonl` after it was, and each scored once before
it was looked at. The floors stand a little under what benchmarks/stories.py measures.
"""

import importlib.util
import json
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alerts.events import scope
from alerts.joining import A_DAY, Candidate, Telling, choose, nearness, telling
from tests.fakes.alerts_bench import make_flag, make_report

HERE = Path(__file__).parent


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "benchmarks_stories", HERE.parents[1] / "benchmarks" / "stories.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("labelled", "precision", "f1"),
    [
        ("events.jsonl", 0.96, 0.89),
        ("briefs.jsonl", 0.93, 0.95),
        ("dispatches.jsonl", 0.90, 0.93),
        ("bulletins.jsonl", 0.92, 0.94),
        ("flashes.jsonl", 0.90, 0.88),
    ],
)
def test_labelled_events_become_stories(labelled: str, precision: float, f1: float) -> None:
    """Of the articles that are flagged: what is not is no story's."""
    benchmark = _benchmark()
    lines = (HERE / labelled).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    made = benchmark.reports(rows)
    flagged = [(row, report) for row, report in zip(rows, made, strict=True) if report.flags]
    found = benchmark.quality(*map(list, zip(*flagged, strict=True)))
    assert found.precision >= precision
    assert found.f1 >= f1


def told(*places: str, **changes: Any) -> Telling:
    """What an article tells that is at these places."""
    fields = {"words": (1, 2, 3), "countries": ("LY",), "places": places, **changes}
    return telling(make_report(**fields), scope([make_flag()]))


TOBRUK, HARIGA, SARIR = "LY/برقة/طبرق", "LY/برقة/طبرق/حريقة", "LY/برقة/طبرق/سرير"
SHARARA = "LY/فزان/أوباري/شرارة"


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ([HARIGA], [HARIGA], "same"),
        ([HARIGA, TOBRUK], [HARIGA, SARIR], "same"),
        ([HARIGA], [TOBRUK], "within"),
        ([HARIGA], ["LY/برقة"], "within"),
        ([HARIGA, TOBRUK], [SARIR, TOBRUK], "apart"),  # the narrowest count
        (["LY/واحة", "LY/سرت"], ["LY/ظهرة", "LY/سرت"], "apart"),  # near one town
        (["LY/واحة", "LY/سرت"], ["LY/سرت"], "same"),
        ([HARIGA, "LY/سرت"], [TOBRUK, "LY/سرت"], "same"),  # Tobruk is no other place than Hariga
        ([HARIGA], [SHARARA], "apart"),
        ([HARIGA], [], "unsaid"),
        ([HARIGA], ["TN/صفاقس"], "unsaid"),  # not where it may be one event
        ([], [], "nowhere"),
    ],
)
def test_how_near_two_articles_are(one: list[str], other: list[str], near: str) -> None:
    assert nearness(told(*one), told(*other)) == near
    assert nearness(told(*other), told(*one)) == near


def test_a_place_named_in_passing_counts_where_none_is_said() -> None:
    assert nearness(told(passing=(TOBRUK,)), told(HARIGA)) == "passing"
    assert nearness(told(SHARARA, passing=(HARIGA,)), told(HARIGA)) == "apart"


def _chosen(mine: Telling, other: Telling, alike: float | None, days: float = 0.0) -> bool:
    index = _benchmark().StoryIndex()
    report = make_report()
    for change in _benchmark().decide(index, report, max_age_s=1e12).changes:
        index.put(change.story)
    (story,) = index.holding(report.article_id)
    candidate = Candidate(story, frozenset(), [(other, alike)], timedelta(days=days))
    return choose(mine, frozenset(), [candidate]) is not None


@pytest.mark.parametrize(
    ("one", "other", "alike", "days", "joined"),
    [
        (told(HARIGA), told(HARIGA), 0.03, 0, True),
        (told(HARIGA), told(HARIGA), 0.03, 0.02 / A_DAY, False),  # later, in other words
        (told(HARIGA), told(SHARARA), 0.9, 0, False),  # a formula
        (told(), told(HARIGA), 0.05, 0, False),
        (told(), told(), 0.05, 0, True),  # of the whole country
        (told(), told(HARIGA), 0.10, 0, True),
        (told(countries=("LY", "RU")), told(countries=("LY", "RU")), 0.05, 0, True),
        (told(countries=("LY", "TR")), told(countries=("LY", "RU")), 0.06, 0, False),
        (told(HARIGA, language="en"), told(HARIGA), None, 2, True),
        (told(language="en"), told(HARIGA), None, 0, False),
        (told(language="en"), told(), None, 0, True),  # the same of the whole country
    ],
)
def test_the_farther_apart_the_more_alike_words_must_be(
    one: Telling, other: Telling, alike: float | None, days: float, joined: bool
) -> None:
    assert _chosen(one, other, alike, days) == joined


def moved(development: str, *countries: str) -> Telling:
    """An article on a foreign force that tells no place."""
    flag = make_flag(theme="foreign_force", development=development)
    report = make_report(words=(1, 2, 3), countries=("LY", *countries), places=())
    return telling(report, scope([flag]))


def test_a_force_that_leaves_is_not_one_that_comes() -> None:
    assert _chosen(moved("withdrawn"), moved("withdrawn"), 0.05)
    assert not _chosen(moved("withdrawn"), moved("deployed"), 0.05)
    assert _chosen(moved("withdrawn", "TR"), moved("withdrawn", "TR"), 0.01)
    assert not _chosen(moved("withdrawn"), moved("withdrawn"), 0.01)


def test_in_another_language_something_else_of_the_whole_country_is_not_the_same() -> None:
    english = telling(
        make_report(words=(1, 2, 3), countries=("LY",), places=(), language="en"),
        scope([make_flag(theme="foreign_force", development="withdrawn")]),
    )
    assert _chosen(english, moved("withdrawn"), None)
    assert not _chosen(english, moved("deployed"), None)


def test_the_next_strike_is_another() -> None:
    assert _chosen(moved("strike"), moved("strike"), 0.08)
    assert not _chosen(moved("strike"), moved("strike"), 0.08, days=1)
    assert _chosen(moved("deployed"), moved("deployed"), 0.08, days=1)


def test_places_of_two_countries_that_have_to_do_with_each_other_are_apart() -> None:
    syria = telling(
        make_report(words=(1, 2), countries=("SY", "IQ"), places=("SY/الحسكة/الشدادي",)),
        scope([make_flag(countries=("SY",))]),
    )
    iraq = telling(
        make_report(words=(1, 2), countries=("IQ", "SY"), places=("IQ/الأنبار/عين الأسد",)),
        scope([make_flag(countries=("IQ",))]),
    )
    assert nearness(syria, iraq) == "apart"
