"""Routes choose receivers as Alertmanager's do."""

import pytest

from alerts.routing import Match, Route, Subject, targets, walk
from streams.records import Report
from tests.fakes.alerts_bench import make_flag, make_report


def subject(report: Report, sources: int = 1) -> Subject:
    return Subject(report.flags, report.source, report.language, sources)


def receivers_for(route: Route, report: Report) -> list[str]:
    return [target.receiver for target in targets(route, subject(report))]


OIL_LIBYA = Match(theme=("oil_field",), country=("LY",))


def test_the_root_takes_what_no_child_matches() -> None:
    route = Route("desk", routes=(Route("editors", Match(theme=("ceasefire",))),))
    assert receivers_for(route, make_report()) == ["desk"]


def test_the_first_child_that_matches_ends_the_search() -> None:
    route = Route("desk", routes=(Route("one", OIL_LIBYA), Route("two", OIL_LIBYA)))
    assert receivers_for(route, make_report()) == ["one"]


def test_continue_goes_on_to_the_siblings_but_not_to_the_parent() -> None:
    route = Route("desk", routes=(Route("one", OIL_LIBYA, continue_=True), Route("two", OIL_LIBYA)))
    assert receivers_for(route, make_report()) == ["one", "two"]
    alone = Route("desk", routes=(Route("one", OIL_LIBYA, continue_=True),))
    assert receivers_for(alone, make_report()) == ["one"]


def test_a_receiver_chosen_twice_is_named_once() -> None:
    route = Route("desk", routes=(Route("one", OIL_LIBYA, continue_=True), Route("one", OIL_LIBYA)))
    assert receivers_for(route, make_report()) == ["one"]


def test_conditions_must_be_met_by_one_flag_together() -> None:
    flags = (
        make_flag(countries=("SY",)),
        make_flag(theme="ceasefire", development="agreed", countries=("LY",)),
    )
    route = Route("desk", routes=(Route("editors", OIL_LIBYA),))
    assert receivers_for(route, make_report(flags=flags)) == ["desk"]


def test_a_child_sees_only_flags_that_matched_its_parent() -> None:
    flags = (
        make_flag(countries=("SY",)),
        make_flag(theme="ceasefire", development="agreed", countries=("LY",)),
    )
    child = Route("libya", Match(country=("LY",)))
    route = Route("desk", routes=(Route("oil", Match(theme=("oil_field",)), routes=(child,)),))
    assert receivers_for(route, make_report(flags=flags)) == ["oil"]


@pytest.mark.parametrize(
    ("match", "met"),
    [
        (Match(), True),
        (Match(theme=("ceasefire", "oil_field")), True),
        (Match(development=("halted",)), False),
        (Match(country=("ly",)), True),
        (Match(country=("SY",)), False),
        (Match(source=("desk-test",)), True),
        (Match(source=("other",)), False),
        (Match(language=("ar", "en")), True),
        (Match(language=("en",)), False),
        (Match(min_score=0.9), True),
        (Match(min_score=0.91), False),
        (Match(status=("asserted",)), True),
        (Match(status=("denied",)), False),
        (Match(place=("الواحة",)), True),
        (Match(place=("واحة", "الشرارة")), True),  # the article before a name says nothing
        (Match(place=("الشرارة",)), False),
        (Match(actor=("حرس المنشآت",)), True),
        (Match(actor=("Wagner",)), False),
        (Match(min_sources=2), True),
        (Match(min_sources=3), False),
    ],
)
def test_each_condition_holds_for_any_of_its_values(match: Match, met: bool) -> None:
    report = make_report(flags=(make_flag(places=("الواحة",), actors=("حرس المنشآت",)),))
    assert bool(match.flags(subject(report, 2))) == met
    assert (match.missed(subject(report, 2)) is None) == met


def test_a_flag_without_a_country_meets_no_condition_on_it() -> None:
    report = make_report(flags=(make_flag(countries=()),))
    assert Match(country=("LY",)).flags(subject(report)) == ()


def test_each_route_not_taken_says_what_missed() -> None:
    route = Route(
        "desk",
        routes=(
            Route("syria", Match(country=("SY",))),
            Route("certain", Match(min_score=0.95)),
            Route("sure", Match(min_sources=2)),
            Route("oil", Match(theme=("oil_field",)), routes=(Route("x", Match(source=("x",))),)),
            Route("never", OIL_LIBYA),
        ),
    )
    steps = [(s.path, s.receiver, s.missed) for s in walk(route, subject(make_report()))]
    assert steps == [
        ("route.routes[0]", "syria", "country is LY, not SY"),
        ("route.routes[1]", "certain", "min_score is 0.95, the best is 0.9"),
        ("route.routes[2]", "sure", "min_sources is 2, the story has 1"),
        ("route.routes[3].routes[0]", "x", "source is desk-test, not x"),
        ("route.routes[3]", "oil", None),
    ]


def test_waits_hold_for_the_routes_below_unless_those_say_otherwise() -> None:
    below = (Route("a", OIL_LIBYA, continue_=True), Route("b", OIL_LIBYA, wait_s=0.0))
    route = Route("desk", routes=(Route("oil", OIL_LIBYA, routes=below, wait_s=60.0),))
    found = targets(route, subject(make_report()))
    assert [(each.receiver, each.wait_s) for each in found] == [("a", 60.0), ("b", 0.0)]
