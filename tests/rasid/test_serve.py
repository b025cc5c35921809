"""The endpoint answers over real HTTP, says what is not able, and names a taken port."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Counter

from rasid.app import App
from rasid.config import Config
from rasid.exposition import Exposition
from rasid.metrics import make_registry
from rasid.serve import Endpoint, bind
from streams.errors import ConfigError


@pytest.fixture
def unable() -> dict[str, str]:
    return {}


@pytest.fixture
def endpoint(unable: dict[str, str]) -> Iterator[Endpoint]:
    registry = make_registry()
    Counter("rasid_things", "Things.", registry=registry).inc(3)
    served = Endpoint(bind("127.0.0.1", 0), Exposition(registry), lambda: unable)
    served.start()
    yield served
    assert served.close(5)


def get(endpoint: Endpoint, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{endpoint.address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_in_prometheus_text(endpoint: Endpoint) -> None:
    status, text = get(endpoint, "/metrics")
    assert status == 200
    assert "rasid_things_total 3.0" in text


def test_every_name_is_rasids_own_and_no_series_of_creation_times_stands_beside_it(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = get(endpoint, "/metrics")
    names = {line.partition("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"}
    assert {"rasid_process_resident_memory_bytes", "rasid_things_total"} <= names
    monkeypatch.chdir(tmp_path)
    for family in App(Config(serve="none")).registry.collect():
        names |= {sample.name for sample in family.samples} | {family.name}
    assert [n for n in names if not n.startswith("rasid_") or n.endswith("_created")] == []


def test_ready_tells_who_is_not_and_alive_stays_alive(
    endpoint: Endpoint, unable: dict[str, str]
) -> None:
    assert get(endpoint, "/readyz") == (200, "ready\n")
    unable["process"] = "waits for the log"
    assert get(endpoint, "/readyz") == (503, "process: waits for the log\n")
    assert get(endpoint, "/healthz") == (200, "alive\n")


def test_the_runbooks_are_at_hand(endpoint: Endpoint) -> None:
    status, page = get(endpoint, "/runbooks")
    assert (status, '<a href="/runbooks/lag">' in page) == (200, True)
    status, book = get(endpoint, "/runbooks/lag")
    assert (status, book.splitlines()[0]) == (200, "# A stage is behind")
    assert get(endpoint, "/runbooks/none")[0] == 404
    assert get(endpoint, "/runbooks/..%2fmetrics")[0] == 404


def test_a_taken_port_is_named(endpoint: Endpoint) -> None:
    port = int(endpoint.address.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"serve: 127.0.0.1:{port} .*another program listens"):
        bind("127.0.0.1", port)
