"""One scenario for all tests of what watches Rasid."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rasid.app import now
from streams.carriers import open_log
from streams.log import Log
from tests.conftest import require
from tests.fakes.watched import Prometheus, watched


@dataclass
class Scene:
    """What Prometheus has seen, and the log of what happened."""

    prometheus: Prometheus
    log: Log


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    program = require("prometheus")
    folder: Path = tmp_path_factory.mktemp("watched")
    with watched(folder, program) as prometheus:
        yield Scene(prometheus, open_log(f"sqlite://{folder}/rasid.db", clock=now))
    shutil.rmtree(folder / "tsdb")
