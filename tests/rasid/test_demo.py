"""`rasid demo`: a folder that cannot be used is told in a line; its articles read rightly."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.flagger import Document, load_flagger
from rasid.demo.newsrooms import load_newsrooms
from rasid.demo.show import run
from streams.errors import ConfigError

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_a_folder_that_cannot_be_had_is_named_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below", Path("/proc/rasid")):
        with pytest.raises(ConfigError, match=f"{folder} cannot be used: .*--dir"):
            run(folder, keep=False, kafka=False)


def test_the_flagger_reads_the_demo_as_a_careful_reader_would() -> None:
    """No theme expected is missed, with a development of it; a near miss gives nothing."""
    flagger = load_flagger(check_examples=False)
    for piece in (p for room in load_newsrooms(NOW) for p in room.pieces):
        flags = flagger.flag(Document(piece.title, "\n".join(piece.body), "ar"))
        found = {(flag.theme, flag.development) for flag in flags}
        for theme in {theme for theme, _ in piece.expect}:
            assert found & {each for each in piece.expect if each[0] == theme}, (piece.slug, theme)
        assert piece.expect or not found, piece.slug
