"""The story of a Report is found by its article, by its text, or by theme, country and place."""

import random
from datetime import datetime, timedelta

import msgspec
import pytest

from alerts.events import Event, events
from alerts.index import HOLDERS_LIMIT, KEPT, LONGEST, StoryIndex
from alerts.joining import FOLLOWS, telling
from alerts.likeness import CUT_AT, LATER, WINDOW, compare
from streams.records import Flag, Story, StoryArticle
from tests.fakes.alerts_bench import NOW, make_flag, make_report


def article(article_id: str, sketch: tuple[int, ...] = (), seen: datetime = NOW) -> StoryArticle:
    return StoryArticle(
        article_id=article_id,
        revision=1,
        url="https://news.example/1",
        title="",
        source="s",
        source_name="s",
        seen=seen,
        sketch=sketch,
        language="ar",
    )


def story(story_id: str, *articles: StoryArticle, flags: tuple[Flag, ...] = ()) -> Story:
    """Of articles that all have these flags."""
    seen = [each.seen for each in articles]
    told = tuple(msgspec.structs.replace(each, flags=flags) for each in articles)
    return Story(id=story_id, opened=min(seen), updated=max(seen), articles=told, flags=flags)


def about(index: StoryIndex, *flags: Flag, at: datetime = NOW) -> list[str]:
    """The stories that an event of these flags may belong to."""
    (event,) = events(flags) or [None]
    assert isinstance(event, Event)
    mine = telling(make_report(), event.scope)
    return [candidate.story.id for candidate in index.about(mine, at)]


def repeated(index: StoryIndex, article_id: str, sketch: tuple[int, ...]) -> str | None:
    """The article whose text such a Report repeats."""
    copy = index.repeated(make_report(article_id, sketch=sketch))
    return copy.article.article_id if copy else None


def test_likeness_is_of_the_smaller_and_of_mine() -> None:
    likeness = compare((1, 2, 3, 4), (3, 4, 5, 6, 7, 8))
    assert (likeness.shared, likeness.containment, likeness.repeated) == (2, 0.5, 0.5)
    assert compare((3, 4, 5, 6, 7, 8), (1, 2, 3, 4)).repeated == 2 / 6
    assert compare((), (1,)).containment == 0.0


def test_a_sketch_that_was_cut_is_compared_as_far_as_it_reaches() -> None:
    whole = range(2 * CUT_AT)
    likeness = compare(tuple(whole[:CUT_AT]), tuple(whole[CUT_AT // 2 : CUT_AT + 20]))
    assert likeness.containment == 1.0


@pytest.mark.parametrize(
    ("a", "b", "at_once", "later"),
    [
        (range(40), range(40), True, True),
        (range(40), range(10), True, True),  # shortened
        (range(40), range(12, 52), True, False),  # edited, or another use of a formula
        (range(40), range(20, 60), False, False),
        (range(40), range(3), False, False),  # too little to say anything
        (range(2), range(2), True, True),  # very short, and the same
        ((), (), False, False),
    ],
)
def test_near_identical_are_copies_also_shortened_ones_and_soon_also_edited_ones(
    a: range, b: range, at_once: bool, later: bool
) -> None:
    for likeness in (compare(tuple(a), tuple(b)), compare(tuple(b), tuple(a))):
        assert likeness.near(LATER) == at_once
        assert likeness.near(LATER + timedelta(seconds=1)) == later
        assert likeness.near(WINDOW) == later
        assert not likeness.near(WINDOW + timedelta(seconds=1))


def test_an_article_is_found_by_its_id_and_a_copy_by_its_text() -> None:
    index = StoryIndex()
    one = story("s1", article("a1", tuple(range(40))))
    index.put(one)
    assert index.holding("a1") == [one]
    assert index.holding("a2") == []
    copy = index.repeated(make_report("a2", sketch=tuple(range(5, 45))))
    assert copy is not None
    assert (copy.article.article_id, copy.stories, copy.repeated) == ("a1", (one,), 35 / 40)
    assert repeated(index, "a3", tuple(range(100, 140))) is None


def test_of_several_the_text_most_alike_is_taken() -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1", tuple(range(40)))))
    index.put(story("s2", article("a2", tuple(range(8, 48)))))
    assert repeated(index, "a3", tuple(range(10, 48))) == "a2"


def test_a_text_repeated_after_three_days_is_news_again() -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1", tuple(range(40)))))
    for apart, found in ((WINDOW, True), (WINDOW + timedelta(seconds=1), False)):
        report = make_report("a2", sketch=tuple(range(40)), seen=NOW + apart, published=None)
        assert (index.repeated(report) is not None) == found


def test_a_revised_text_replaces_the_old_one() -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1", tuple(range(40)))))
    index.put(story("s1", article("a1", tuple(range(100, 140)))))
    assert repeated(index, "a2", tuple(range(40))) is None
    assert repeated(index, "a3", tuple(range(100, 140))) == "a1"


def test_a_story_without_news_for_a_week_is_forgotten_wholly() -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1", tuple(range(40))), flags=(make_flag(places=("الواحة",)),)))
    later = NOW + timedelta(days=1)
    index.put(story("s2", article("a2", tuple(range(20, 60)), later), flags=(make_flag(),)))
    index.expire(NOW + KEPT + timedelta(seconds=1))
    assert len(index) == 1
    assert index.holding("a1") == []
    assert index._holders.keys() == set(range(20, 60))
    assert {key[:2] for key in index._keys} == {("oil_field", "LY")}


def test_a_story_that_grew_is_kept_from_its_latest_article_on() -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1")))
    index.put(story("s2", article("a2", seen=NOW + timedelta(days=1))))
    index.put(story("s1", article("a1"), article("a3", seen=NOW + timedelta(days=2))))
    index.expire(NOW + timedelta(days=1, seconds=1) + KEPT)
    assert index.get("s1") is not None
    assert index.get("s2") is None


def test_boilerplate_that_hundreds_share_hides_no_copy() -> None:
    index = StoryIndex()
    boilerplate = tuple(range(10))
    for n in range(10 * HOLDERS_LIMIT):
        own = tuple(range(1000 * (n + 1), 1000 * (n + 1) + 30))
        index.put(story(f"s{n}", article(f"a{n}", (*boilerplate, *own))))
    last = 10 * HOLDERS_LIMIT - 1
    copy = (*boilerplate, *range(1000 * (last + 1), 1000 * (last + 1) + 30))
    assert repeated(index, "c", copy) == f"a{last}"
    assert repeated(index, "d", (*boilerplate, *range(5_000_000, 5_000_030))) is None


def test_the_same_is_found_as_by_comparing_with_all() -> None:
    rng = random.Random(7)
    index = StoryIndex()
    texts: list[tuple[int, ...]] = []
    for n in range(300):
        if texts and n % 3 == 0:
            base = rng.choice(texts)
            text = tuple(sorted(rng.sample(base, rng.randint(4, len(base)))))
        else:
            text = tuple(sorted(rng.sample(range(20_000), rng.randint(4, 60))))
        found = repeated(index, f"a{n}", text)
        apart = timedelta(minutes=5)  # make_report's, published before it was seen
        near = {f"a{m}" for m, other in enumerate(texts) if compare(text, other).near(apart)}
        assert (found is None) == (not near)
        assert found is None or found in near
        index.put(story(f"s{n}", article(f"a{n}", text)))
        texts.append(text)


def test_of_the_latest_in_a_country_those_told_in_other_words_are_not_looked_at() -> None:
    index = StoryIndex()
    for n, words in enumerate(((1, 2, 3), (7, 8, 9))):
        own = msgspec.structs.replace(article(f"a{n}"), words=words)
        index.put(story(f"s{n}", own, flags=(make_flag(),)))
    (event,) = events((make_flag(),))
    mine = telling(make_report(words=(2, 3, 4)), event.scope)
    assert [candidate.story.id for candidate in index.about(mine, NOW)] == ["s0"]


def test_any_number_of_past_news_leaves_today_s_where_it_is() -> None:
    index = StoryIndex(limit=60)
    index.put(story("live", article("live"), flags=(make_flag(),)))
    for n in range(300):
        past = NOW - timedelta(days=60 + n)
        index.put(story(f"s{n}", article(f"a{n}", seen=past), flags=(make_flag(),)))
        assert len(index) <= 60
    assert index.get("live") is not None
    assert about(index, make_flag()) == ["live"], "not hidden behind the latest of the country"
    assert index.get("s0") is not None, "what was published longest ago is forgotten first"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"theme": "ceasefire"}, False),
        ({"countries": ("SY",)}, False),
        ({"countries": ("SY", "LY")}, True),
        ({"countries": ()}, False),  # undetermined: only its text can tell
    ],
)
def test_a_story_is_about_a_theme_in_a_country(changes: dict[str, object], found: bool) -> None:
    index = StoryIndex()
    index.put(story("s1", article("a1"), flags=(make_flag(),)))
    assert about(index, make_flag(**changes)) == (["s1"] if found else [])


def test_a_story_is_open_for_four_days_after_its_last_article_and_two_weeks_at_most() -> None:
    index = StoryIndex()
    second = timedelta(seconds=1)
    days = [article(f"a{day}", seen=NOW + timedelta(days=day)) for day in range(0, 15, 2)]
    index.put(story("s1", *days[:2], flags=(make_flag(),)))
    last = NOW + timedelta(days=2)
    for at, found in (
        (last + FOLLOWS, True),
        (last + FOLLOWS + second, False),
        (NOW - FOLLOWS, True),  # late
        (NOW - FOLLOWS - second, False),
    ):
        assert about(index, make_flag(), at=at) == (["s1"] if found else [])
    index.put(story("s1", *days, flags=(make_flag(),)))
    assert about(index, make_flag(), at=NOW + LONGEST)
    assert not about(index, make_flag(), at=NOW + LONGEST + second)
