"""Messages in every channel's form, as they were last looked at.

When one is changed on purpose: `uv run rasid alert preview --dir tests/alerts/golden`, and
look at the HTML in a browser before it is committed.
"""

from pathlib import Path

import pytest

from rasid.preview import samples, write_preview

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_preview(samples(), tmp_path_factory.mktemp("preview"))


def test_every_form_is_as_it_was_looked_at(written: list[Path]) -> None:
    assert [path.name for path in written if path.read_bytes() != golden(path)] == []


def test_no_form_is_left_from_before(written: list[Path]) -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {path.name for path in written}


def golden(path: Path) -> bytes:
    looked_at = GOLDEN / path.name
    return looked_at.read_bytes() if looked_at.exists() else b""
