"""Routes choose receivers as Alertmanager's do."""

import pytest

from alerts.routing import Match, Route, receivers_for
from tests.fakes.alerts_bench import make_flag, make_report

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
    ],
)
def test_each_condition_holds_for_any_of_its_values(match: Match, met: bool) -> None:
    report = make_report()
    assert bool(match.flags(report, report.flags)) == met


def test_a_flag_without_a_country_meets_no_condition_on_it() -> None:
    report = make_report(flags=(make_flag(countries=()),))
    assert Match(country=("LY",)).flags(report, report.flags) == []
