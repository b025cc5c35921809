"""The drills in short; drills/ holds the programs for the long runs."""

from pathlib import Path

import pytest

from drills import kills, outages
from rasid.demo.broker import Brokers

SPAN_S = 2.0


@pytest.mark.parametrize("carrier", ["sqlite", "kafka"])
def test_stages_killed_at_random_moments_lose_nothing(
    tmp_path: Path, carrier: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite://{tmp_path}/rasid.db"
    if carrier == "kafka":
        broker: Brokers = request.getfixturevalue("broker")
        url = f"{broker.url}/drill"
    outcome = kills.drill(url, tmp_path, kills=4)
    assert outcome.kept, outcome
    assert outcome.kills.total() == 4


def test_troubled_receivers_files_and_clocks_lose_nothing_and_flood_nobody(
    tmp_path: Path,
) -> None:
    names = ["busy", "mute", "gone", "receivers-cut", "locked", "full", "clock", "day"]
    outcome = outages.drill("sqlite", tmp_path, names, span_s=SPAN_S)
    assert outcome.kept, outcome
    assert list(outcome.settled_s) == names
    assert outcome.stories_told_twice > 0


def test_troubled_brokers_and_lines_to_them_lose_nothing(tmp_path: Path) -> None:
    names = ["cut", "broker"]
    with outages.behind_a_proxy(tmp_path / "kafka") as (brokers, way):
        outcome = outages.drill("kafka", tmp_path, names, span_s=SPAN_S, brokers=brokers, way=way)
    assert outcome.kept, outcome
    assert list(outcome.settled_s) == names
