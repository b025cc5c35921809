"""What all tests share: tools that uv cannot install are named when they are missing."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from rasid.demo.broker import Brokers


def require(program: str) -> str:
    """The path of an external program; skips the test, or fails it under RASID_REQUIRE_ALL=1."""
    path = shutil.which(program)
    if path is None:
        message = f"needs {program}, which is not installed"
        if os.environ.get("RASID_REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def promtool() -> str:
    return require("promtool")


@pytest.fixture
def chromium() -> str:
    return require("chromium")


@pytest.fixture(scope="session")
def secluded() -> tuple[str, ...]:
    """The beginning of a command that runs with mounts and a network of its own: none."""
    command = (require("unshare"), "--user", "--map-root-user", "--mount", "--net")
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        message = "needs namespaces (unshare), which the kernel or the container forbids"
        if os.environ.get("RASID_REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return command


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """A real Kafka of one node, for all tests of the run; each keeps to names of its own."""
    with Brokers(tmp_path_factory.mktemp("kafka")) as brokers:
        yield brokers


@pytest.fixture(scope="session")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """A real Kafka of three nodes: replication 3, `min.insync.replicas` 2."""
    with Brokers(tmp_path_factory.mktemp("kafka-three"), count=3) as brokers:
        yield brokers
