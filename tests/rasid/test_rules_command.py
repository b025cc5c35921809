"""`rasid rules`: what a person who writes rules sees."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rasid.cli import app

DUE = {"theme": "ceasefire", "level": "dev", "developments": ["violated"]}
ARTICLES = [
    {"id": "hit", "text": "اتهمت الحكومة الجماعة بخرق الهدنة في تعز.", "labels": [DUE]},
    {"id": "miss", "text": "افتتح الوزير معرض الكتاب.", "labels": [DUE]},
    {"id": "false", "title": "شبوة", "text": "فجر مسلحون أنبوب النفط في شبوة.", "labels": []},
    {
        "id": "mention",
        "text": "اتهمت الحكومة الجماعة بخرق الهدنة في تعز.",
        "labels": [{"theme": "ceasefire", "level": "mention"}],
    },
]


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "labelled.jsonl"
    path.write_text("\n".join(json.dumps(a) for a in ARTICLES), encoding="utf-8")
    return path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["rules", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_eval_counts_misses_and_false_alarms(labelled: Path) -> None:
    told = json.loads(run("eval", str(labelled), "--json"))
    assert told["missed"] == [["miss", "ceasefire"]]
    assert told["false"] == [["false", "oil_field"]]
    ceasefire = told["themes"]["ceasefire"]
    assert (ceasefire["right"], ceasefire["false"], ceasefire["missed"]) == (1, 0, 1)
    assert told["developments"]["ceasefire"]["f1"] == 1.0


def test_eval_shows_what_a_change_of_rules_won_and_lost(labelled: Path, tmp_path: Path) -> None:
    kept = tmp_path / "before.json"
    assert "- miss  ceasefire" in run("eval", str(labelled), "--save", str(kept))
    (tmp_path / "mine" / "ar").mkdir(parents=True)
    (tmp_path / "mine" / "ar" / "off.yaml").write_text(
        "theme: ceasefire\nrules: [{id: breach, status: off}, {id: breached_it, status: off}]",
        encoding="utf-8",
    )
    config = tmp_path / "rasid.yaml"
    config.write_text(f"rules: [{tmp_path / 'mine'}]", encoding="utf-8")
    told = json.loads(
        run("eval", str(labelled), "--compare", str(kept), "--config", str(config), "--json")
    )
    (changed,) = told["changed"]
    assert (changed["article"], changed["theme"]) == ("hit", "ceasefire")
    assert changed["before"] == ["violated"]
    assert changed["now"] != ["violated"]


def test_a_line_that_is_no_article_is_named(labelled: Path) -> None:
    labelled.write_text('{"text": "هدنة"}\n{"labels": []}\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["rules", "eval", str(labelled)])
    assert result.exit_code == 1


def test_coverage_tells_what_never_fires(labelled: Path) -> None:
    told = json.loads(run("coverage", str(labelled), "--json"))
    assert told["fired"]["ceasefire.breach"] == 2
    assert "ceasefire.talks" in told["never"]


def test_a_rule_whose_example_fails_is_listed(labelled: Path, tmp_path: Path) -> None:
    assert json.loads(run("test", "--json"))["wrong"] == []
    (tmp_path / "mine" / "ar").mkdir(parents=True)
    (tmp_path / "mine" / "ar" / "mine.yaml").write_text(
        "theme: ceasefire\n"
        "rules: [{id: mine, development: agreed, match: [truce], examples: {fire: [لا شيء]}}]",
        encoding="utf-8",
    )
    config = tmp_path / "rasid.yaml"
    config.write_text(f"rules: [{tmp_path / 'mine'}]", encoding="utf-8")
    told = json.loads(run("test", "--config", str(config), "--json", code=1).partition("rasid:")[0])
    assert any("mine.yaml:2:" in line for line in told["wrong"])


def test_the_schema_is_printed_as_json() -> None:
    assert json.loads(run("schema"))["title"] == "Rasid's rule files"
