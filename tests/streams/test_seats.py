"""A seat is one instance's, in this process and among all, and dies with its holder."""

import errno
import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streams.errors import LogUnavailable
from streams.seats import Seat

HOLD = """
import sys
from pathlib import Path
from streams.seats import Seat
seat = Seat(Path(sys.argv[1]))
print(seat.take(0), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rasid.db.process.lock"


def test_excludes_another_of_this_process(path: Path) -> None:
    first, second = Seat(path), Seat(path)
    assert first.take(0)
    assert not second.take(0)
    first.leave()
    assert second.take(0)


def test_is_known_by_the_real_path(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert Seat(path).take(0)
    assert not Seat(link).take(0)


def test_a_try_in_vain_does_not_free_it(path: Path) -> None:
    """Closing any descriptor of the file would drop the lock of the whole process."""
    first = Seat(path)
    assert first.take(0)
    assert not Seat(path).take(0)
    Seat(path).leave()
    assert in_another_process(path) == "False"
    first.leave()
    assert in_another_process(path) == "True"


def test_dies_with_its_holder(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    seat = Seat(path)
    assert not seat.take(0)
    holder.kill()
    holder.communicate()
    assert seat.take(0)


def test_a_waiting_one_wakes_when_it_is_free(path: Path) -> None:
    first, second = Seat(path), Seat(path)
    assert first.take(0)
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(second.take(30)))
    thread.start()
    first.leave()
    thread.join(30)
    assert taken == [True]


def test_taking_it_twice_and_leaving_it_twice_is_harmless(path: Path) -> None:
    seat = Seat(path)
    assert seat.take(0)
    assert seat.take(0)
    seat.leave()
    seat.leave()
    assert not seat.held


def test_a_file_system_without_locks_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(LogUnavailable, match="local disk"):
        Seat(path).take(0)


def in_another_process(path: Path) -> str:
    """Whether another process could take the seat."""
    return subprocess.run(
        [sys.executable, "-c", HOLD, str(path)],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
