"""Rule files: the bundled ones hold their examples; a mistake is told with its place."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from processors.errors import RuleError
from processors.flagger import Document, load_flagger

GOOD = """\
theme: exchange
threshold: 0.5
anchors: [swap]
concepts:
  swap: {nouns: [تبادل أسرى, صفقة ~1 تبادل]}
  done: {verbs: [تم/يتم, أنجز/ينجز], nouns: [إتمام]}
rules:
  - id: done
    development: agreed
    weight: 0.9
    match: [done, swap]
    gap: 5
    examples:
      fire: [تم تبادل أسرى بين الطرفين في تعز.]
      quiet: [تم توقيع العقد.]
"""


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "ar").mkdir(parents=True, exist_ok=True)
    (tmp_path / "ar" / "mine.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_every_bundled_example_holds() -> None:
    flagger = load_flagger(check_examples=False)
    wrong = [(r.id, str(t), due) for r, t, due, fired in flagger.examples() if due != fired]
    assert wrong == []


def test_a_users_folder_adds_a_theme(tmp_path: Path) -> None:
    flagger = load_flagger([folder(tmp_path, GOOD)])
    (flag,) = flagger.flag(Document("", "أُنجزت صفقة التبادل بين الطرفين.", "ar"))
    assert (flag.theme, flag.development, flag.rule) == ("exchange", "agreed", "exchange.done")
    assert flagger.digest != load_flagger(check_examples=False).digest


@pytest.mark.parametrize(
    ("old", "new", "reason", "word"),
    [
        ("match: [done, swap]", "match: [dome, swap]", "unknown", "dome"),
        ("anchors: [swap]", "anchors: [swop]", "unknown", "swop"),
        ("gap: 5", "gup: 5", "schema", "gup"),
        ("gap: 5", "gap: 5\n    gap: 6", "duplicate", "gap"),
        ("match: [done, swap]", "match: []", "empty", "done"),
        ("nouns: [إتمام]", "nouns: ['']", "empty", "nouns"),
        ("nouns: [إتمام]", "nouns: ['~2']", "empty", "~2"),
        ("nouns: [إتمام]", "include: [done]", "circle", "done"),
        (
            "fire: [تم تبادل أسرى بين الطرفين في تعز.]",
            "fire: [لا شيء هنا.]",
            "example",
            "لا شيء هنا.",
        ),
        ("quiet: [تم توقيع العقد.]", "quiet: [تم تبادل أسرى.]", "example", "تم تبادل أسرى."),
        ("match: [done, swap]", "match: [done]", "schema", "done"),
        ("  done: {verbs", "  truce: {verbs", "duplicate", "truce"),
        ("theme: exchange", "theme: [", "syntax", ""),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, reason: str, word: str
) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    with pytest.raises(RuleError) as caught:
        load_flagger([folder(tmp_path, text)])
    error = caught.value
    assert (error.reason, Path(error.file).name) == (reason, "mine.yaml")
    line = text.splitlines()[error.line - 1]
    assert word in line
    assert f":{error.line}:{error.column}: " in str(error)


def test_an_unknown_concept_is_guessed_at(tmp_path: Path) -> None:
    text = GOOD.replace("match: [done, swap]", "match: [done, swapp]")
    with pytest.raises(RuleError, match="did you mean 'swap'"):
        load_flagger([folder(tmp_path, text)])


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no such folder"):
        load_flagger([tmp_path / "away"])


def test_loading_takes_less_than_a_second() -> None:
    began = time.thread_time()
    load_flagger()
    assert time.thread_time() - began < 2.0  # 0.3 s on an idle core; CI is shared


def test_importing_drags_in_nothing_heavy() -> None:
    heavy = "trafilatura feedparser aiohttp torch numpy emoji camel_tools.utils.charsets"
    code = (
        f"import sys, processors.flagger; print([m for m in {heavy.split()!r} if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
