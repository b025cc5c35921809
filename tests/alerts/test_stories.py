"""What a Report means: who is told, who is not, and why."""

from datetime import timedelta

import pytest

from alerts.stories import LISTED_LIMIT, Known, alert_for, alert_id, decide
from streams.records import Report, Story
from tests.fakes.alerts_bench import NOW, make_flag, make_report

DAY_S = 86_400.0


def opened(report: Report) -> Story:
    story = decide(report, None, max_age_s=DAY_S).story
    assert story is not None
    return story


def test_flags_in_a_new_article_open_a_story_and_are_told() -> None:
    decision = decide(make_report(), None, max_age_s=DAY_S)
    assert decision.outcome == "alerted"
    assert decision.story is not None
    assert decision.story.alerted
    assert [article.decision for article in decision.story.articles] == ["alerted"]


def test_nothing_flagged_in_an_unknown_article_is_nothing() -> None:
    decision = decide(make_report(flags=(), revision=2), None, max_age_s=DAY_S)
    assert (decision.outcome, decision.story) == ("no_flags", None)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"published": NOW - timedelta(hours=24)}, "alerted"),
        ({"published": NOW - timedelta(hours=24, seconds=1)}, "too_old"),
        ({"published": None, "first_poll": True}, "undated"),
        ({"published": None}, "alerted"),
        ({"published": NOW, "first_poll": True}, "alerted"),
        ({"published": NOW + timedelta(hours=1)}, "alerted"),
        ({"backfill": True}, "backfill"),
    ],
)
def test_old_news_is_recorded_with_its_reason_and_not_told(
    changes: dict[str, object], outcome: str
) -> None:
    decision = decide(make_report(**changes), None, max_age_s=DAY_S)
    assert decision.outcome == outcome
    assert decision.story is not None
    assert decision.story.alerted == (outcome == "alerted")
    assert decision.story.articles[0].decision == outcome


def test_a_revision_updates_the_story_and_tells_nobody() -> None:
    story = opened(make_report())
    halted = (make_flag(development="halted"),)
    later = make_report(revision=2, title="تصحيح", flags=halted, seen=NOW)
    decision = decide(later, Known(story), max_age_s=DAY_S)
    assert decision.outcome == "revision"
    assert decision.story is not None
    assert decision.story.flags == halted
    assert [(a.revision, a.title, a.decision) for a in decision.story.articles] == [
        (2, "تصحيح", "alerted")
    ]


def test_a_revision_without_flags_takes_them_back() -> None:
    decision = decide(
        make_report(revision=2, flags=()), Known(opened(make_report())), max_age_s=DAY_S
    )
    assert decision.story is not None
    assert decision.story.flags == ()


@pytest.mark.parametrize("revision", [1, 2])
def test_a_revision_seen_before_changes_nothing(revision: int) -> None:
    story = opened(make_report(revision=2))
    decision = decide(make_report(revision=revision), Known(story), max_age_s=DAY_S)
    assert (decision.outcome, decision.story) == ("repeated", None)


def test_a_copy_joins_and_tells_nobody() -> None:
    story = opened(make_report())
    decision = decide(make_report("a2"), Known(story, "a1"), max_age_s=DAY_S)
    assert decision.outcome == "copy"
    assert decision.story is not None
    assert [(a.article_id, a.copy_of) for a in decision.story.articles] == [
        ("a1", None),
        ("a2", "a1"),
    ]
    assert decision.story.flags == story.flags


def test_a_fresh_copy_of_what_nobody_was_told_is_told() -> None:
    old = opened(make_report(published=NOW - timedelta(days=2)))
    decision = decide(make_report("a2"), Known(old, "a1"), max_age_s=DAY_S)
    assert decision.outcome == "alerted"
    assert decision.story is not None
    assert decision.story.alerted
    third = decide(make_report("a3"), Known(decision.story, "a2"), max_age_s=DAY_S)
    assert third.outcome == "copy"


@pytest.mark.parametrize(
    ("development", "repeated", "outcome"),
    [
        ("attacked", 0.2, "copy"),  # the short news at length
        ("halted", 0.6, "copy"),
        ("halted", 0.4, "alerted"),  # a long text that takes it in and tells more
    ],
)
def test_a_text_that_takes_in_a_story_and_tells_more_is_news(
    development: str, repeated: float, outcome: str
) -> None:
    story = opened(make_report())
    longer = make_report("a2", flags=(make_flag(), make_flag(development=development)))
    decision = decide(longer, Known(story, "a1", repeated), max_age_s=DAY_S)
    assert decision.outcome == outcome
    assert decision.story is not None
    assert (decision.story.id == story.id) == (outcome == "copy")


def test_a_copys_revision_leaves_the_storys_flags_alone() -> None:
    story = opened(make_report())
    story = decide(make_report("a2"), Known(story, "a1"), max_age_s=DAY_S).story or story
    decision = decide(make_report("a2", revision=2, flags=()), Known(story), max_age_s=DAY_S)
    assert decision.story is not None
    assert decision.story.flags == story.flags
    assert decision.story.articles[1].copy_of == "a1"


def test_a_row_lists_no_more_articles_than_it_should() -> None:
    story = opened(make_report())
    for n in range(LISTED_LIMIT + 5):
        story = decide(make_report(f"c{n}"), Known(story, "a1"), max_age_s=DAY_S).story or story
    assert len(story.articles) == LISTED_LIMIT
    assert story.more == 6


def test_a_copy_that_adds_nothing_keeps_no_sketch() -> None:
    report = make_report()
    same = make_report("a2", sketch=report.sketch[:30])
    longer = make_report("a3", sketch=(*range(9), *report.sketch))
    for copy, kept in ((same, False), (longer, True)):
        story = decide(copy, Known(opened(report), "a1"), max_age_s=DAY_S).story
        assert story is not None
        assert bool(story.articles[1].sketch) == kept


def test_the_same_message_always_has_the_same_id() -> None:
    report = make_report()
    story = opened(report)
    ids = [
        alert_for(report, story, name, created=created).id
        for name in ("desk", "editors")
        for created in (NOW, NOW + timedelta(hours=1))
    ]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert alert_id("desk", "a1", 1) != alert_id("desk", "a1", 2)
