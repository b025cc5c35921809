"""`rasid demo`: a folder that cannot be used is told in a line."""

from pathlib import Path

import pytest

from rasid.demo.show import run
from streams.errors import ConfigError


def test_a_folder_that_cannot_be_had_is_named_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below", Path("/proc/rasid")):
        with pytest.raises(ConfigError, match=f"{folder} cannot be used: .*--dir"):
            run(folder, keep=False, kafka=False)
