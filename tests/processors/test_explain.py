"""An explanation tells what matched and how, what fired, and what nearly did."""

import pytest

from processors.explain import Explanation, explain
from processors.flagger import Document, Flagger, load_flagger


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


def told(flagger: Flagger, text: str) -> Explanation:
    return explain(flagger, Document("", text, "ar"))


def lacks(explanation: Explanation, rule: str) -> set[str]:
    return {near.lacks for near in explanation.near if near.rule.id == rule}


def test_clitics_are_shown_as_they_were_taken_off(flagger: Flagger) -> None:
    words = told(flagger, "وبالهدنة تمسكوا، وبهدنتهم.").words
    read = {word.written: word.read_as for word in words if "truce" in word.concepts}
    assert read == {"وبالهدنة": ("وبال+هدنة",), "وبهدنتهم": ("وب+هدنة+تهم",)}


def test_what_fired_shows_its_pieces(flagger: Flagger) -> None:
    explanation = told(flagger, "اتهمت الحكومة الجماعة بخرق الهدنة في تعز.")
    (fired,) = (item for item in explanation.fired if item.rule.id == "ceasefire.breach")
    assert [written for _, written in fired.pieces] == ["بخرق", "الهدنة"]
    assert (fired.development, fired.counts) == ("violated", True)
    assert explanation.flags == tuple(
        flagger.flag(Document("", "اتهمت الحكومة الجماعة بخرق الهدنة في تعز.", "ar"))
    )


@pytest.mark.parametrize(
    ("text", "rule", "lack"),
    [
        ("أهدى المدرب هدنة للاعبين.", "ceasefire.called", "no call|offer"),
        ("دخلت القوات العراقية مدينة الموصل.", "foreign_force.deploy", "is at home here"),
        (
            "انهارت الأسعار، وقال مصدر في المدينة القديمة قرب السوق إن الهدنة قائمة.",
            "ceasefire.collapse",
            "too far apart",
        ),
        ("لم تنهر الهدنة في تعز.", "ceasefire.collapse", "negated"),
    ],
)
def test_what_nearly_fired_says_what_it_lacked(
    flagger: Flagger, text: str, rule: str, lack: str
) -> None:
    assert any(lack in told for told in lacks(told(flagger, text), rule))


def test_a_text_no_rules_are_for_has_nothing_to_tell(flagger: Flagger) -> None:
    assert explain(flagger, Document("", "停戦協定が締結された", "ja")) == Explanation(
        (), (), (), ()
    )
