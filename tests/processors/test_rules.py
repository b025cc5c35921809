"""Rule files: the bundled ones hold their examples; a mistake is told with its place."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from processors.errors import RuleError
from processors.flagger import BUNDLED, Document, load_flagger
from processors.schema import json_schema

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


def test_marks_are_no_words_of_a_gap(tmp_path: Path) -> None:
    flagger = load_flagger([folder(tmp_path, GOOD)])
    for text, fires in (
        ("تم في «تعز»، فجر السبت، تبادل أسرى.", True),  # four words, two commas, two quotes
        ("تم في مدينة تعز فجر يوم السبت تبادل أسرى.", False),
    ):
        assert bool(flagger.flag(Document("", text, "ar"))) == fires


COMPANION = """\
  - id: named
    development: negotiated
    companion: true
    match: [listed]
    examples: {fire: [تم تبادل أسرى بين الطرفين في تعز. وسلمت القوائم.], quiet: [سلمت القوائم.]}
"""


def test_a_companion_counts_where_its_theme_has_something_else(tmp_path: Path) -> None:
    text = GOOD.replace("rules:", "  listed: {nouns: [قائمة|قوائم]}\nrules:") + COMPANION
    flagger = load_flagger([folder(tmp_path, text)])
    alone = flagger.flag(Document("", "أعلنت القوائم. وقع هجوم في تعز.", "ar"))
    beside = flagger.flag(Document("", "أعلنت القوائم. تم تبادل أسرى في تعز.", "ar"))
    assert [flag.development for flag in alone] == []
    assert {flag.development for flag in beside} == {"agreed", "negotiated"}


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
        ("  done: {verbs", "  negation: {verbs", "duplicate", "negation"),
        ("theme: exchange", "theme: [", "syntax", ""),
        ("weight: 0.9", "weight: 9", "schema", "weight"),
        ("gap: 5", "scope: paragraph", "schema", "paragraph"),
        (
            "anchors: [swap]",
            "anchors: [swap]\nturns: {perhaps: {agreed: agreed}}",
            "schema",
            "perhaps",
        ),
        ("gap: 5", "foreign: swop", "unknown", "swop"),
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


def test_a_users_rule_takes_the_place_of_a_bundled_one(tmp_path: Path) -> None:
    text = Document("", "قصف الطيران الروسي بلدة في ريف إدلب شمالي سوريا.", "ar")
    rules = load_flagger(check_examples=False).flag(text)
    assert [flag.rule for flag in rules] == ["foreign_force.strike_named"]
    off = "theme: foreign_force\nrules: [{id: strike_named, status: off}]"
    assert load_flagger([folder(tmp_path, off)]).flag(text) != rules
    mine = """
        theme: foreign_force
        rules: [{id: strike_named, development: support, match: [foreign_strike]}]
    """
    found = load_flagger([folder(tmp_path, mine)]).flag(text)
    assert ("foreign_force.strike_named", "support") in {(f.rule, f.development) for f in found}


def test_a_theme_means_its_own_concept_by_a_name_another_has(tmp_path: Path) -> None:
    text = GOOD.replace("swap", "truce")
    flagger = load_flagger([folder(tmp_path, text)])
    (flag,) = flagger.flag(Document("", "أُنجزت صفقة التبادل بين الطرفين.", "ar"))
    assert flag.theme == "exchange"
    truce = "توصل طرفا الحرب إلى هدنة في الحديدة."
    assert [f.theme for f in flagger.flag(Document("", truce, "ar"))] == ["ceasefire"]


def test_a_bundled_concept_is_added_to(tmp_path: Path) -> None:
    text = Document("", "دعا الأمين العام إلى مهادنة إنسانية في سبها.", "ar")
    assert load_flagger(check_examples=False).flag(text) == []
    more = "concepts:\n  truce: {extend: true, nouns: [مهادنة]}"
    (flag,) = load_flagger([folder(tmp_path, more)]).flag(text)
    assert (flag.theme, flag.development) == ("ceasefire", "called_for")


def test_a_gazetteer_without_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    path = tmp_path / "shared" / "mine.yaml"
    path.write_text("gazetteer: forces\nentries: [{names: [كتيبة الرمل], kind: local}]")
    with pytest.raises(RuleError, match=r"mine\.yaml:1:1: lacks 'source'"):
        load_flagger([tmp_path])
    path.write_text("gazetteer: force\nentries: []")
    with pytest.raises(RuleError, match=r"mine\.yaml:1:12: unknown gazetteer"):
        load_flagger([tmp_path])


def test_the_published_schema_takes_the_bundled_rules() -> None:
    validator = Draft202012Validator(json_schema())
    for path in BUNDLED.glob("*/*.yaml"):
        if path.parent.name != "shared" and path.name != "language.yaml":
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            assert [e.message for e in validator.iter_errors(document)] == []
    wrong = {"theme": "ceasefire", "rules": [{"id": "x", "gup": 5}]}
    assert not validator.is_valid(wrong)


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
