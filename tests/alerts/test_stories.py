"""What a Report means for the stories kept: what it opens, joins, changes, confirms."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts.changes import Change, Decision
from alerts.index import StoryIndex
from alerts.joining import FOLLOWS
from alerts.standing import AGAIN, LATE
from alerts.stories import LISTED_LIMIT, decide
from streams.records import Flag, Span, Story
from tests.fakes.alerts_bench import NOW, make_flag, make_report

DAY_S = 86_400.0
HEADLINE = (Span(field="title", start=0, end=3),)


class Desk:
    """Stories as they grow, Report by Report."""

    def __init__(self) -> None:
        self.index = StoryIndex()

    def read(self, article_id: str, *flags: Flag, hours: float = 0, **changes: Any) -> Decision:
        """What comes of a Report published `hours` after the first."""
        published = NOW + timedelta(hours=hours)
        fields = {"source": f"outlet-{article_id}", "published": published, "seen": published}
        report = make_report(article_id, **{**fields, "flags": flags, **changes})
        decision = decide(self.index, report, max_age_s=DAY_S)
        for change in decision.changes:
            self.index.put(change.story)
        return decision

    @property
    def stories(self) -> list[Story]:
        return sorted((held.story for held in self.index._stories.values()), key=lambda s: s.opened)

    @property
    def story(self) -> Story:
        (story,) = self.stories
        return story


def attacked(**changes: Any) -> Flag:
    return make_flag(**{"places": ("الواحة",), **changes})


def halted(**changes: Any) -> Flag:
    return attacked(development="halted", **changes)


def truce(development: str, **changes: Any) -> Flag:
    return make_flag(theme="ceasefire", development=development, **changes)


def states(story: Story) -> list[str]:
    return [("not " if s.denied else "") + s.development for s in story.states]


def only(decision: Decision) -> Change:
    (change,) = decision.changes
    return change


NOWHERE: dict[str, Any] = {"countries": (), "places": ()}
MET: dict[str, Any] = {"words": tuple(range(20)), "country": "LY"}


def test_where_no_country_is_told_it_is_the_outlets_own() -> None:
    desk = Desk()
    desk.read("a1", truce("agreed"), **MET)
    assert only(desk.read("a2", truce("violated", **NOWHERE), hours=2, **MET)).outcome == "changed"
    assert "same country (LY, as the outlet's: none is told)" in desk.story.articles[1].why
    abroad = desk.read("a3", truce("violated", **NOWHERE), hours=2, **{**MET, "country": "EG"})
    assert only(abroad).outcome == "opened"
    unknown = desk.read("a4", truce("violated", **NOWHERE), hours=2, words=MET["words"])
    assert only(unknown).outcome == "opened"


@pytest.mark.parametrize(
    ("told", "outcome", "course"),
    [
        ((halted(), attacked()), "joined", ["halted"]),  # attacked, and therefore halted
        ((attacked(),), "changed", ["halted", "attacked"]),  # attacked again
        ((halted(), attacked(development="resumed")), "changed", ["halted", "resumed"]),
    ],
)
def test_how_a_state_came_about_is_no_change_of_it(
    told: tuple[Flag, ...], outcome: str, course: list[str]
) -> None:
    desk = Desk()
    desk.read("a1", halted())
    desk.read("a2", halted())
    assert only(desk.read("a3", *told, hours=1)).outcome == outcome
    assert states(desk.story) == course


def test_an_article_that_came_by_its_outlets_country_is_found_there() -> None:
    desk = Desk()
    desk.read("a1", truce("agreed"), words=(101, 102, 103, 1, 2), countries=("LY",))
    desk.read("a2", truce("violated", **NOWHERE), hours=1, **MET)
    joined = only(desk.read("a3", truce("violated"), hours=2, words=(3, 4, 5), countries=("LY",)))
    assert joined.outcome != "opened", "its words are those of the second"


def test_a_story_that_tells_no_country_is_of_its_outlets_country_also_when_revised() -> None:
    desk = Desk()
    desk.read("a1", truce("agreed", **NOWHERE), **MET)
    desk.read("a1", truce("agreed", **NOWHERE), hours=1, revision=2, **MET)
    assert only(desk.read("a2", truce("violated"), hours=2, **MET)).outcome == "changed"
    assert len(desk.stories) == 1


def test_flags_in_a_new_article_open_a_story_that_is_told() -> None:
    desk = Desk()
    change = only(desk.read("a1", attacked()))
    assert (change.kind, change.alertable) == ("opened", True)
    assert desk.story.alerted
    assert states(desk.story) == ["attacked"]
    assert [article.decision for article in desk.story.articles] == ["opened"]
    assert desk.story.articles[0].why == ("opens it: no open story of oil_field in LY (الواحة)")


def test_nothing_flagged_in_an_unknown_article_is_nothing() -> None:
    assert Desk().read("a1", revision=2) == Decision("no_flags")


def test_what_is_only_past_opens_nothing() -> None:
    assert Desk().read("a1", attacked(status="past")) == Decision("background")


# --- joining -----------------------------------------------------------------------------


def test_a_report_on_the_same_place_joins_and_says_why() -> None:
    desk = Desk()
    desk.read("a1", attacked(actors=("فاغنر",)))
    desk.read("a2", attacked(actors=("فاغنر",)), hours=5)
    assert desk.story.articles[1].why == (
        "same theme (oil_field), same country (LY), same place (الواحة), same actor (فاغنر); "
        "words not compared; 5 h apart"
    )


@pytest.mark.parametrize(
    ("changes", "stories"),
    [
        ({}, 1),
        ({"places": ()}, 1),
        ({"places": ("الشرارة",)}, 2),
        ({"countries": ("SY",)}, 2),
        ({"countries": ()}, 2),
        ({"theme": "ceasefire"}, 2),
        ({"development": "halted"}, 1),  # what happened is never the key
    ],
)
def test_what_keeps_reports_of_one_day_apart(changes: dict[str, Any], stories: int) -> None:
    desk = Desk()
    desk.read("a1", attacked())
    desk.read("a2", attacked(**changes), hours=1)
    assert len(desk.stories) == stories


def test_after_the_window_it_is_a_new_story() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    desk.read("a2", attacked(), hours=FOLLOWS.total_seconds() / 3600 + 1)
    assert len(desk.stories) == 2


def test_actors_break_ties() -> None:
    desk = Desk()
    desk.read("a1", make_flag(theme="foreign_force", places=("سرت",), actors=("فاغنر",)))
    desk.read("a2", make_flag(theme="foreign_force", places=("طبرق",), actors=("الجيش التركي",)))
    desk.read("a3", make_flag(theme="foreign_force", actors=("فاغنر",)), hours=1)
    assert sorted(len(story.articles) for story in desk.stories) == [1, 2]
    (joined,) = desk.index.holding("a3")
    assert joined.articles[0].article_id == "a1"


def test_several_flags_of_one_article_on_one_place_are_one_story() -> None:
    desk = Desk()
    strike = make_flag(theme="foreign_force", development="strike", places=("الواحة",))
    decision = desk.read("a1", attacked(), halted(), strike)
    assert len(only(decision).flags) == 3
    assert len(desk.story.flags) == 3


def test_two_events_of_one_article_are_two_stories_decided_together() -> None:
    desk = Desk()
    decision = desk.read(
        "a1",
        attacked(spans=HEADLINE, quote="قصف"),
        truce("violated", spans=HEADLINE, countries=("YE",), quote="خرق"),
    )
    assert [change.kind for change in decision.changes] == ["opened", "opened"]
    assert len({story.id for story in desk.stories}) == 2


def test_what_a_headline_may_say_of_another_country_besides_opens_nothing() -> None:
    desk = Desk()
    here = make_flag(theme="foreign_force", development="denied", spans=HEADLINE)
    there = msgspec.structs.replace(here, countries=("TR",), score=0.6)
    assert only(desk.read("a1", here, there)).outcome == "opened"
    assert {code for flag in desk.story.flags for code in flag.countries} == {"LY"}
    sure = msgspec.structs.replace(there, score=0.9)
    assert len(desk.read("a2", make_flag(places=("سرت",), spans=HEADLINE), sure).changes) == 2


def test_what_is_told_in_passing_opens_nothing_but_joins() -> None:
    passing = truce("agreed", score=0.6, countries=("YE",), places=("تعز",), quote="سبق")
    desk = Desk()
    desk.read("a1", attacked(spans=HEADLINE), passing)
    assert [story.flags[0].theme for story in desk.stories] == ["oil_field"]
    desk = Desk()
    desk.read("a1", truce("violated", countries=("YE",), places=("تعز",)))
    elsewhere = truce("agreed", score=0.6, countries=("YE",), quote="سبق")
    decision = desk.read("a0", attacked(spans=HEADLINE), elsewhere, hours=1)
    assert [change.outcome for change in decision.changes] == ["opened"]  # no place tells which
    decision = desk.read("a2", attacked(places=("زلة",), spans=HEADLINE), passing, hours=1)
    assert [change.outcome for change in decision.changes] == ["opened", "passing"]
    (yemen,) = (story for story in desk.stories if story.flags[0].theme == "ceasefire")
    assert states(yemen) == ["violated"]


# --- what is told ------------------------------------------------------------------------


def test_a_truce_changes_its_state_and_stays_one_story() -> None:
    desk = Desk()
    kinds = [
        only(desk.read(f"a{hours}", truce(development), hours=hours)).kind
        for hours, development in (
            (0, "called_for"),
            (10, "agreed"),
            (11, "agreed"),
            (30, "violated"),
        )
    ]
    assert kinds == ["opened", "changed", "confirmed", "changed"]
    assert states(desk.story) == ["called_for", "agreed", "violated"]


def test_what_was_so_before_can_be_so_again() -> None:
    desk = Desk()
    again = AGAIN.total_seconds() / 3600
    desk.read("a1", truce("agreed"))
    desk.read("a2", truce("violated"), hours=1)
    assert desk.read("a3", truce("agreed"), hours=2).outcome == "confirmed"
    assert desk.read("a4", truce("agreed"), hours=1 + again).outcome == "changed"
    assert states(desk.story) == ["agreed", "violated", "agreed"]


def test_a_denial_changes_the_story_and_confirms_nothing() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    assert desk.read("a2", attacked(status="denied"), hours=1).outcome == "changed"
    assert states(desk.story) == ["attacked", "not attacked"]
    assert not desk.story.confirmed


def test_a_late_report_changes_nothing() -> None:
    desk = Desk()
    desk.read("a1", truce("agreed"), hours=10)
    late = 10 - LATE.total_seconds() / 3600 - 1
    assert desk.read("a2", truce("called_for"), hours=late).outcome == "late"
    assert states(desk.story) == ["agreed"]


def test_the_headline_says_what_a_report_is_about() -> None:
    desk = Desk()
    desk.read("a1", truce("violated", spans=HEADLINE), truce("agreed", score=0.95))
    assert states(desk.story) == ["violated"]
    told_before = truce("called_for", score=0.95)
    decision = desk.read("a2", truce("violated", spans=HEADLINE), told_before, hours=1)
    assert decision.outcome == "confirmed"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"published": NOW - timedelta(hours=24)}, "opened"),
        ({"published": NOW - timedelta(hours=24, seconds=1)}, "too_old"),
        ({"published": None, "first_poll": True}, "undated"),
        ({"published": None}, "opened"),
        ({"published": NOW, "first_poll": True}, "opened"),
        ({"published": NOW + timedelta(hours=1)}, "opened"),
        ({"backfill": True}, "backfill"),
    ],
)
def test_old_news_is_recorded_with_its_reason_and_not_told(
    changes: dict[str, Any], outcome: str
) -> None:
    desk = Desk()
    change = only(desk.read("a1", attacked(), seen=NOW, **changes))
    assert change.outcome == outcome
    assert (change.alertable, desk.story.alerted) == (outcome == "opened",) * 2
    assert desk.story.articles[0].decision == outcome


@pytest.mark.parametrize("sketch", [tuple(range(40)), tuple(range(100, 140))])
def test_the_first_fresh_report_of_what_nobody_was_told_is_told(sketch: tuple[int, ...]) -> None:
    desk = Desk()
    text = tuple(range(40))
    desk.read("a1", attacked(), sketch=text, published=NOW - timedelta(days=2), seen=NOW)
    assert desk.read("a2", attacked(), sketch=sketch).outcome == "opened"
    assert desk.story.alerted
    assert desk.read("a3", attacked(), sketch=text).outcome != "opened"


def test_old_news_neither_confirms_nor_changes_what_was_told() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    old = {"published": NOW - timedelta(days=2), "seen": NOW}
    change = only(desk.read("a2", halted(), **old))
    assert (change.outcome, change.kind) == ("too_old", None)
    assert states(desk.story) == ["attacked"]


# --- copies and independent sources ------------------------------------------------------

TEXT = tuple(range(1000, 1040))


def test_a_copy_joins_whatever_it_is_flagged_for_and_tells_nobody() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    change = only(desk.read("a2", attacked(countries=()), sketch=TEXT))
    assert change.outcome == "copy"
    copy = desk.story.articles[1]
    assert (copy.copy_of, copy.flags, copy.sketch) == ("a1", (), ())
    assert copy.why == "repeats 100 % of the text of https://news.example/a1"


@pytest.mark.parametrize(
    ("share", "outcome", "copied"),
    [
        (39, "copy", True),  # one shingle in forty of its own
        (30, "changed", True),  # copied, and brought up to date
        (18, "changed", False),  # a long text that takes it in
    ],
)
def test_a_text_that_goes_on_to_another_development_changes_the_story(
    share: int, outcome: str, copied: bool
) -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT[:share])
    longer = (*TEXT[:share], *range(5000, 5040 - share))
    change = only(desk.read("a2", halted(), sketch=longer, hours=1))
    assert change.outcome == outcome
    assert (desk.story.articles[1].copy_of == "a1") == copied
    assert desk.story.independent == (1 if copied else 2)


@pytest.mark.parametrize(
    ("second", "independent"),
    [
        ({}, 2),
        ({"source": "outlet-a1"}, 1),
        ({"sketch": TEXT}, 1),
        ({"credited": "outlet-a1"}, 1),
        ({"credited": "reuters"}, 2),
    ],
)
def test_a_copy_or_a_credited_report_counts_with_its_origin(
    second: dict[str, Any], independent: int
) -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    outcome = desk.read("a2", attacked(), hours=1, **second).outcome
    assert desk.story.independent == independent
    assert desk.story.confirmed == (outcome == "confirmed") == (independent == 2)


def test_a_copy_that_names_the_agency_names_it_for_all() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    desk.read("a2", attacked(), sketch=TEXT, credited="reuters")
    desk.read("a3", attacked(), credited="reuters", hours=1)
    desk.read("a4", attacked(), source="reuters", hours=2)
    assert desk.story.independent == 1
    assert not desk.story.confirmed


def test_a_copy_of_a_copy_counts_with_the_first() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=tuple(range(40)))
    desk.read("a2", attacked(), sketch=tuple(range(15, 55)))
    desk.read("a3", attacked(), sketch=tuple(range(30, 70)))
    assert [a.copy_of for a in desk.story.articles] == [None, "a1", "a2"]
    assert desk.story.independent == 1


def test_a_story_is_confirmed_once() -> None:
    desk = Desk()
    outcomes = [desk.read(f"a{n}", attacked(), hours=n).outcome for n in range(4)]
    assert outcomes == ["opened", "confirmed", "joined", "joined"]
    assert desk.story.independent == 4


def test_a_row_lists_no_more_articles_than_it_should() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    for n in range(LISTED_LIMIT + 5):
        desk.read(f"c{n}", attacked(), sketch=TEXT)
    assert len(desk.story.articles) == LISTED_LIMIT
    assert desk.story.more == 6


# --- revisions ---------------------------------------------------------------------------


@pytest.mark.parametrize("revision", [1, 2])
def test_a_revision_seen_before_changes_nothing(revision: int) -> None:
    desk = Desk()
    desk.read("a1", attacked(), revision=2)
    assert desk.read("a1", halted(), revision=revision) == Decision("repeated")


def test_a_revision_that_says_the_same_updates_the_article_only() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    decision = desk.read("a1", attacked(places=("الواحة", "زلة")), revision=2, title="مصحح")
    assert decision.outcome == "revision"
    (article,) = desk.story.articles
    assert (article.revision, article.title, article.decision) == (2, "مصحح", "opened")
    assert desk.story.flags[0].places == ("الواحة", "زلة")


def test_a_development_that_a_correction_takes_back_is_struck() -> None:
    desk = Desk()
    desk.read("a1", attacked(), halted())
    change = only(desk.read("a1", attacked(), revision=2, hours=1))
    assert change.kind == "corrected"
    assert [state.development for state in change.struck] == ["halted"]
    assert states(desk.story) == ["attacked"]
    assert [flag.development for flag in desk.story.flags] == ["attacked"]


def test_what_another_source_tells_as_well_stands() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    desk.read("a2", attacked(), hours=1)
    assert desk.read("a1", revision=2, hours=2).outcome == "revision"
    assert states(desk.story) == ["attacked"]
    assert (desk.story.independent, desk.story.confirmed) == (1, False)


def test_an_article_withdrawn_takes_its_story_and_its_copies_with_it() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    desk.read("a2", attacked(), sketch=TEXT)
    change = only(desk.read("a1", revision=2, hours=1, sketch=TEXT))
    assert change.kind == "corrected"
    assert (desk.story.flags, desk.story.states) == ((), ())
    assert desk.read("a3", attacked(), hours=2).outcome == "opened"
    assert len(desk.stories) == 2


def test_a_revision_that_tells_more_changes_the_story() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    assert desk.read("a1", attacked(), halted(), revision=2, hours=1).outcome == "changed"
    assert states(desk.story) == ["attacked", "halted"]


def test_a_revision_that_tells_of_another_event_opens_its_story() -> None:
    desk = Desk()
    desk.read("a1", attacked())
    decision = desk.read("a1", attacked(), truce("agreed", countries=("YE",)), revision=2)
    assert [change.outcome for change in decision.changes] == ["revision", "opened"]
    assert desk.index.holding("a1") == desk.stories


def test_a_copys_revision_leaves_what_the_origin_tells_alone() -> None:
    desk = Desk()
    desk.read("a1", attacked(), sketch=TEXT)
    desk.read("a2", attacked(), sketch=TEXT)
    assert desk.read("a2", revision=2, sketch=TEXT).outcome == "revision"
    assert states(desk.story) == ["attacked"]


def test_the_same_reports_make_the_same_stories() -> None:
    def run() -> list[Story]:
        desk = Desk()
        for n, flag in enumerate((attacked(), truce("agreed"), halted(), truce("violated"))):
            desk.read(f"a{n}", flag, hours=n)
        return desk.stories

    assert run() == run()
