"""The generated references say what the code does."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["configuration.md", "metrics.md", "commands.md"])
def test_the_reference_has_not_drifted(name: str) -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (DOCS / name).read_text(encoding="utf-8") == generate.render(name), (
        "run: uv run python docs/generate.py"
    )
