"""/metrics is at hand, and fresh, when it is asked for; nobody's work when nobody asks."""

import re
import threading

import pytest
from prometheus_client import CollectorRegistry, Counter

from rasid.exposition import AHEAD_S, EVERY_S, FRESH_S, PACE_S, Exposition


class Passing(threading.Event):
    """Time that passes by being waited for, until it is `end`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.end = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        if self.now >= self.end:
            return True
        self.now += timeout or 0.0
        return False


class Watched:
    """What is read of a counter that goes up by one a second."""

    def __init__(self) -> None:
        self.time = Passing()
        self.made = 0
        self.registry = CollectorRegistry()
        now = Counter("rasid_seconds", "Seconds.", registry=self.registry)
        now._value.get = self._read  # type: ignore[attr-defined]
        self.exposition = Exposition(self.registry, lambda: self.time.now)

    def _read(self) -> float:
        self.made += 1
        return self.time.now

    def after(self, seconds: float) -> float | None:
        """Let time pass, then ask: how old what is at hand is; None without anything."""
        self.time.end = self.time.now + seconds
        self.exposition.keep(self.time)
        text = self.exposition.at_hand()
        return None if text is None else self.time.now - number(text)


def number(text: bytes) -> float:
    found = re.search(rb"^rasid_seconds_total (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("pace", [5.0, 15.0, 30.0, 60.0])
def test_who_asks_at_a_pace_finds_a_text_made_just_before(watched: Watched, pace: float) -> None:
    assert watched.after(0) is None  # the first to ask
    assert watched.after(pace) is None  # now the pace is known
    ages = [watched.after(pace) for _ in range(5)]
    assert ages == [AHEAD_S] * 5
    assert watched.made == 5  # one for each


def test_two_that_ask_in_turn_find_it_fresh(watched: Watched) -> None:
    for pause in (0, 5, 10, 5):
        watched.after(pause)
    ages = [watched.after(pause) for pause in (10, 5, 10, 5)]
    assert all(age is not None and age <= FRESH_S for age in ages)


def test_however_often_it_is_asked_for_it_is_made_every_few_seconds(watched: Watched) -> None:
    ages = [watched.after(0.5) for _ in range(121)]
    assert all(age is None or age <= EVERY_S + 0.5 for age in ages)
    assert watched.made <= 60 / EVERY_S + 1


def test_nothing_is_made_when_nobody_asks_any_more(watched: Watched) -> None:
    for pause in (0, 15, 15):
        watched.after(pause)
    for _ in range(2):  # who asks so seldom is not awaited
        assert watched.after(PACE_S + 1) is None
        assert watched.made == 2  # for the third question, and for one that did not come in time


def test_what_is_made_on_demand_is_of_this_moment(watched: Watched) -> None:
    assert number(watched.exposition.render()) == 1000
    watched.time.now += 0.5
    assert number(watched.exposition.render()) == 1000.5
    watched.time.now += FRESH_S
    assert watched.exposition.at_hand() is not None
    watched.time.now += 0.1
    assert watched.exposition.at_hand() is None


def test_its_age_is_in_it(watched: Watched) -> None:
    assert b"\nrasid_metrics_rendered_timestamp_seconds 1." in watched.exposition.render()
