"""The unit is one that systemd takes, gives the daemon time to end, and keeps it in a cell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rasid import app
from tests.conftest import require

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "rasid.service"
EXPOSURE = 1.5  # of 10; systemd 252 says 1.4


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as installed, as far as verify looks: its program exists."""
    text = UNIT.read_text(encoding="utf-8")
    path = tmp_path / "rasid.service"
    program = str(Path(sys.executable).with_name("rasid"))
    path.write_text(text.replace("/opt/rasid/.venv/bin/rasid", program), encoding="utf-8")
    return path


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require("systemd-analyze"), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.external
def test_verify_has_nothing_against_it(unit: Path) -> None:
    done = systemd_analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.external
def test_it_is_hardened(unit: Path) -> None:
    done = systemd_analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"exposure level for rasid\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= EXPOSURE


def test_it_waits_for_longer_than_the_daemon_takes_to_end() -> None:
    timeout = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert timeout is not None
    housekeeping_and_endpoint_s = 10.0
    assert int(timeout[1]) > sum(app._STOP_S.values()) + housekeeping_and_endpoint_s
