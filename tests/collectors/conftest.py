"""A server that does as told, and a desk that collects from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.catalogue import Feed
from tests.fakes.collecting import Desk
from tests.fakes.scripted_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as it:
        yield it


@pytest.fixture
def desk(tmp_path: Path, server: ScriptedServer) -> Desk:
    return Desk(tmp_path, [Feed(server.base + "/feed", interval_s=0.05)])
