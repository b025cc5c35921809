"""/metrics is at hand, and fresh, while somebody asks; nobody's work when nobody does."""

import re
import threading

import pytest
from prometheus_client import CollectorRegistry, Counter

from rasid.exposition import ASKED_S, EVERY_S, FRESH_S, Exposition


class Passing(threading.Event):
    """Time that passes by being waited for; set after `rounds` waits."""

    def __init__(self, rounds: int = 0) -> None:
        super().__init__()
        self.now = 1000.0
        self.rounds = rounds

    def wait(self, timeout: float | None = None) -> bool:
        if self.rounds == 0:
            return True
        self.rounds -= 1
        self.now += timeout or 0.0
        return False


class Watched:
    def __init__(self) -> None:
        self.time = Passing()
        self.registry = CollectorRegistry()
        self.things = Counter("rasid_things", "Things.", registry=self.registry)
        self.exposition = Exposition(self.registry, lambda: self.time.now)

    def keep(self, seconds: float) -> None:
        self.time.rounds = round(seconds / EVERY_S)
        self.exposition.keep(self.time)

    def told(self) -> float | None:
        """What the text at hand says; None without one."""
        text = self.exposition.at_hand()
        return None if text is None else number(text)


def number(text: bytes) -> float:
    found = re.search(rb"^rasid_things_total (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_nothing_is_made_until_somebody_asks(watched: Watched) -> None:
    watched.keep(60)
    assert watched.told() is None  # and this was the first to ask
    watched.things.inc()
    watched.keep(EVERY_S)
    assert watched.told() == 1


def test_it_is_made_anew_while_somebody_asks_and_no_longer(watched: Watched) -> None:
    assert watched.told() is None
    for count in range(1, 4):
        watched.things.inc()
        watched.keep(EVERY_S)
        assert watched.told() == count
    watched.keep(ASKED_S)
    watched.things.inc()
    watched.keep(EVERY_S + FRESH_S)
    assert watched.told() is None  # nobody had asked: old, and not handed out


def test_what_is_made_on_demand_is_of_this_moment(watched: Watched) -> None:
    assert number(watched.exposition.render()) == 0
    watched.things.inc()
    watched.time.now += 0.5
    assert number(watched.exposition.render()) == 1


def test_a_text_of_a_thread_that_is_late_is_not_handed_out(watched: Watched) -> None:
    watched.exposition.render()
    watched.time.now += FRESH_S
    assert watched.told() == 0
    watched.time.now += 0.1
    assert watched.told() is None


def test_its_age_is_in_it(watched: Watched) -> None:
    assert b"\nrasid_metrics_rendered_timestamp_seconds 1." in watched.exposition.render()
