"""The generated references say what the code does."""

import importlib.util
from pathlib import Path

import pytest

from processors.flagger import Document, load_flagger

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    "name", ["configuration.md", "metrics.md", "commands.md", "rules.schema.json"]
)
def test_the_reference_has_not_drifted(name: str) -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (DOCS / name).read_text(encoding="utf-8") == generate.render(name), (
        "run: uv run python docs/generate.py"
    )


def test_the_worked_example_of_rules_works(tmp_path: Path) -> None:
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    (example,) = (block for block in blocks if block.startswith("theme: prisoner_exchange"))
    (switched_off,) = (block for block in blocks if "status: off" in block)
    (names,) = (block for block in blocks if block.startswith("gazetteer"))
    (tmp_path / "ar").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "ar" / "exchange.yaml").write_text(example, encoding="utf-8")
    (tmp_path / "ar" / "off.yaml").write_text(switched_off, encoding="utf-8")
    (tmp_path / "shared" / "mine.yaml").write_text(names, encoding="utf-8")
    flagger = load_flagger([tmp_path])
    text = page.partition('echo "')[2].partition('"')[0]
    (flag,) = flagger.flag(Document("", text, "ar"))
    assert (flag.theme, flag.development) == ("prisoner_exchange", "carried_out")
    rules = {rule.id for theme in flagger.books["ar"].themes for rule in theme.rules}
    assert "ceasefire.despite" not in rules
    assert "ceasefire.breach" in rules
