"""The carriers that the contract suite runs on: one more is one more line here."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from rasid.demo.broker import Brokers
from streams import carriers
from streams.log import Clock, Log, Stage
from streams.records import ARTICLES, BACKFILL, FLAGS
from tests.fakes.clock import FakeClock
from tests.fakes.streams_carriers import Carrier, CarrierMaker, KafkaCarrier, SqliteCarrier
from tests.fakes.streams_contract import seated

_numbers = count()


@pytest.fixture(params=["sqlite", "kafka"])
def new_carrier(request: pytest.FixtureRequest, tmp_path: Path) -> CarrierMaker:
    """Makes storage for a log of its own at each call."""
    if request.param == "sqlite":
        return lambda: SqliteCarrier(tmp_path / f"log-{next(_numbers)}.db")
    broker: Brokers = request.getfixturevalue("broker")
    return lambda: KafkaCarrier(f"{broker.url}/log-{next(_numbers)}?partitions=1")


@pytest.fixture
def carrier(new_carrier: CarrierMaker) -> Carrier:
    return new_carrier()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_log(carrier: Carrier, clock: FakeClock) -> Iterator[Callable[..., Log]]:
    """Opens the carrier's log, as another instance of Rasid would; closed after the test."""
    logs: list[Log] = []

    def opener(clock: Clock = clock) -> Log:
        logs.append(carrier.open(clock))
        return logs[-1]

    yield opener
    for log in logs:
        log.close()


@pytest.fixture
def log(open_log: Callable[..., Log]) -> Log:
    return open_log()


@pytest.fixture
def writer(log: Log) -> Stage:
    return seated(log, "process", [ARTICLES, BACKFILL])


@pytest.fixture
def reader(log: Log) -> Stage:
    return seated(log, "alert", [FLAGS])


@pytest.fixture
def url(broker: Brokers) -> str:
    return f"{broker.url}/several-{next(_numbers)}?partitions=4"


@pytest.fixture
def open_as(url: str) -> Iterator[Callable[..., Log]]:
    """The log, as an instance by that name sees it."""
    logs: list[Log] = []
    stages: list[Stage] = []

    def opener(instance: str, url: str = url) -> Log:
        log = carriers.open_log(url, clock=lambda: datetime.now(UTC), instance=instance)
        give = log.stage

        def stage(name: str, reads: Sequence[str] = ()) -> Stage:
            stages.append(give(name, reads))
            return stages[-1]

        log.stage = stage  # type: ignore[method-assign]
        logs.append(log)
        return log

    yield opener
    for stage in stages:  # whose clients would go on in the tests that follow
        stage.close()
    for log in logs:
        log.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rasid.db"
