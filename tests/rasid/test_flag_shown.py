"""`rasid flag` on a terminal: what a text holds cannot steer it."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from processors.flagger import Document
from rasid.cli import app
from rasid.cli.flag import show
from rasid.cli.shown import shown
from streams.records import Happened
from tests.fakes.alerts_bench import make_flag

HOSTILE = (
    "عاجل \x1b]0;owned\x07\x1b[2J \u202eاتفاق على وقف إطلاق النار\u2066 في سرت\n"
    "أعلن المبعوث \x1b[31mالأممي إلى ليبيا أن طرفي القتال وقّعا \u202eاتفاقاً لوقف إطلاق\x9b5m "
    "النار في سرت.\r\n"
)


@pytest.mark.parametrize("options", [[], ["--explain"]])
def test_no_control_and_no_override_reaches_the_terminal(
    tmp_path: Path, options: list[str]
) -> None:
    file = tmp_path / "text"
    file.write_text(HOSTILE)
    result = CliRunner().invoke(app, ["flag", *options, str(file)])
    assert result.exit_code == 0
    assert "ceasefire" in result.output
    assert "اتفاق على وقف إطلاق النار في سرت" in result.output
    kept = [c for c in result.output if c in "\u202e\u2066" or (not c.isprintable() and c != "\n")]
    assert kept == []


def test_pieces_keep_the_spaces_between_them() -> None:
    assert [str(shown(piece)) for piece in (" a\tb \n", "\x1b", " ", "c")] == [
        " a b ",
        "",
        " ",
        "c",
    ]


def test_the_sentence_stays_whole_where_its_words_are_marked(tmp_path: Path) -> None:
    sentence = "أعلن المبعوث الأممي أن الطرفين وقّعا اتفاقاً لوقف إطلاق النار في سرت."
    file = tmp_path / "text"
    file.write_text(sentence)
    assert f"  {sentence}\n" in CliRunner().invoke(app, ["flag", str(file)]).output


def test_it_says_when_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    happened = Happened(day=date(2026, 3, 3), text="الثلاثاء")
    show(Document("", ""), [make_flag(happened=happened)])
    assert "  happened: Tuesday 2026-03-03 «الثلاثاء»\n" in capsys.readouterr().out


def test_each_word_is_shown_with_how_it_was_read_on_a_narrow_terminal(tmp_path: Path) -> None:
    """However much it may be."""
    file = tmp_path / "text"
    file.write_text("عاد 300 جندي سوداني من اليمن إلى الخرطوم.", encoding="utf-8")
    result = CliRunner().invoke(app, ["flag", "--explain", str(file)], env={"COLUMNS": "80"})
    words = result.output.partition("\nwords\n")[2].partition("rules that fired")[0]
    assert {"اليمن", "ال+يمن", "power,"} <= set(words.split())
