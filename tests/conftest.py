"""What all tests share: tools that uv cannot install are named when they are missing."""

import os
import shutil

import pytest


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
