"""The drills in short; drills/ holds the programs for the long runs."""

from pathlib import Path

import pytest

from drills.kills import drill
from rasid.demo.broker import Brokers


@pytest.mark.parametrize("carrier", ["sqlite", "kafka"])
def test_stages_killed_at_random_moments_lose_nothing(
    tmp_path: Path, carrier: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite://{tmp_path}/rasid.db"
    if carrier == "kafka":
        broker: Brokers = request.getfixturevalue("broker")
        url = f"{broker.url}/drill"
    outcome = drill(url, tmp_path, kills=6)
    assert outcome.kept, outcome
    assert outcome.kills.total() == 6
