"""The story of a Report is found by its article, or by its text."""

import random
from datetime import timedelta

import pytest

from alerts.index import CUT_AT, HOLDERS_LIMIT, KEPT, LATER, WINDOW, Found, StoryIndex, compare
from streams.records import StoryArticle
from tests.fakes.alerts_bench import NOW, make_report


def article(article_id: str, sketch: tuple[int, ...], seen: object = NOW) -> StoryArticle:
    return StoryArticle(
        article_id=article_id,
        revision=1,
        url="https://news.example/1",
        title="",
        source="s",
        source_name="s",
        seen=seen,  # type: ignore[arg-type]
        sketch=sketch,
    )


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
    index.add("s1", article("a1", tuple(range(40))))
    assert index.find(make_report("a1", sketch=())) == Found("s1")
    assert index.find(make_report("a2", sketch=tuple(range(5, 45)))) == Found("s1", "a1", 35 / 40)
    assert index.find(make_report("a3", sketch=tuple(range(100, 140)))) is None


def test_of_several_the_text_most_alike_is_taken() -> None:
    index = StoryIndex()
    index.add("s1", article("a1", tuple(range(40))))
    index.add("s2", article("a2", tuple(range(8, 48))))
    assert index.find(make_report("a3", sketch=tuple(range(10, 48)))) == Found("s2", "a2")


def test_a_text_repeated_after_three_days_is_news_again() -> None:
    index = StoryIndex()
    index.add("s1", article("a1", tuple(range(40))))
    for apart, found in ((WINDOW, True), (WINDOW + timedelta(seconds=1), False)):
        report = make_report("a2", sketch=tuple(range(40)), seen=NOW + apart, published=None)
        assert (index.find(report) is not None) == found


def test_a_revised_text_replaces_the_old_one() -> None:
    index = StoryIndex()
    index.add("s1", article("a1", tuple(range(40))))
    index.add("s1", article("a1", tuple(range(100, 140))))
    assert index.find(make_report("a2", sketch=tuple(range(40)))) is None
    assert index.find(make_report("a3", sketch=tuple(range(100, 140)))) == Found("s1", "a1")


def test_what_is_a_week_old_is_forgotten_wholly() -> None:
    index = StoryIndex()
    index.add("s1", article("a1", tuple(range(40))))
    index.add("s2", article("a2", tuple(range(20, 60)), NOW + timedelta(days=1)))
    index.expire(NOW + KEPT + timedelta(seconds=1))
    assert len(index) == 1
    assert index.find(make_report("a1", sketch=())) is None
    assert index._holders.keys() == set(range(20, 60))


def test_boilerplate_that_hundreds_share_hides_no_copy() -> None:
    index = StoryIndex()
    boilerplate = tuple(range(10))
    for n in range(10 * HOLDERS_LIMIT):
        own = tuple(range(1000 * (n + 1), 1000 * (n + 1) + 30))
        index.add(f"s{n}", article(f"a{n}", (*boilerplate, *own)))
    last = 10 * HOLDERS_LIMIT - 1
    copy = (*boilerplate, *range(1000 * (last + 1), 1000 * (last + 1) + 30))
    assert index.find(make_report("c", sketch=copy)) == Found(f"s{last}", f"a{last}")
    other = (*boilerplate, *range(5_000_000, 5_000_030))
    assert index.find(make_report("d", sketch=other)) is None


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
        found = index.find(make_report(f"a{n}", sketch=text))
        apart = timedelta(minutes=5)  # make_report's, published before it was seen
        near = {f"a{m}" for m, other in enumerate(texts) if compare(text, other).near(apart)}
        assert (found is None) == (not near)
        assert found is None or found.copy_of in near
        index.add(f"s{n}", article(f"a{n}", text))
        texts.append(text)
