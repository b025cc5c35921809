"""`rasid flag` on a terminal: what a text holds cannot steer it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rasid.cli import app
from rasid.cli.shown import shown

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
