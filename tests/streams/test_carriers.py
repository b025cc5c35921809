"""An address in the configuration gives its carrier, or an error that says what to write."""

from pathlib import Path

import pytest

from streams.carriers import open_log
from streams.errors import ConfigError
from tests.fakes.clock import FakeClock


def test_a_sqlite_address_is_the_path_after_two_slashes(tmp_path: Path) -> None:
    log = open_log(f"sqlite://{tmp_path}/a%20log.db", clock=FakeClock())
    assert log.stage("process").acquire(0)
    assert (tmp_path / "a log.db").exists()


def test_nothing_is_made_by_opening(tmp_path: Path) -> None:
    open_log(f"sqlite://{tmp_path}/rasid.db", clock=FakeClock())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "write sqlite:///"),
        ("/var/lib/rasid.db", "write sqlite:///"),
        ("postgres://host/db", "write sqlite:///"),
        ("sqlite:", "three slashes"),
        ("sqlite:rasid.db", "three slashes"),
        ("sqlite://rasid.db", "three slashes"),
        ("sqlite://host/rasid.db", "three slashes"),
        ("sqlite:///var/rasid.db?mode=memory", "three slashes"),
        ("sqlite:///", "names a folder"),
        ("sqlite:///var/lib/", "names a folder"),
    ],
)
def test_any_other_address_is_an_error_that_says_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        open_log(url, clock=FakeClock())
