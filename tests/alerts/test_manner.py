"""What a message says of its story, in the receiver's language and on its clock."""

from typing import Any

import pytest

from alerts.mail import compose, mail_html, mail_text
from alerts.receivers import EmailOptions
from alerts.render import Manner, message
from alerts.slack import payload
from streams.records import Alert, State, StoryPart
from tests.fakes.alerts_bench import NOW, make_alert

ARABIC = Manner(("ar",), "Africa/Tripoli")
ENGLISH = Manner(("en",), "Africa/Tripoli")


def state(development: str, *, denied: bool = False) -> State:
    return State(
        theme="oil_field", development=development, denied=denied, since=NOW, article_id="a1"
    )


def alert(**part: Any) -> Alert:
    fields = {"story_id": "s1", "outlets": ("الوسط", "Libya Herald"), **part}
    made = make_alert()
    return Alert(**{**{f: getattr(made, f) for f in made.__struct_fields__},
                    "stories": (StoryPart(**fields),)})  # fmt: skip


@pytest.mark.parametrize(
    ("part", "arabic", "english"),
    [
        ({"kind": "opened"}, (), ()),
        (
            {"kind": "changed", "states": (state("attacked"), state("halted"))},
            ("تغيّر: هجوم ← توقف",),
            ("Changed: attacked → halted",),
        ),
        (
            {"kind": "changed", "states": (state("attacked"), state("attacked", denied=True))},
            ("تغيّر: هجوم ← نفي: هجوم",),
            ("Changed: attacked → denied: attacked",),
        ),
        (
            {"kind": "confirmed", "independent": 2},
            ("أكّده مصدر مستقل آخر؛ عدد المصادر المستقلة: 2",),
            ("Confirmed by another independent source: 2 now",),
        ),
        (
            {"kind": "corrected", "struck": (state("halted"),), "states": (state("attacked"),)},
            ("تصحيح: لم يعد أحد يقول: توقف",),
            ("Corrected: nobody says any more: halted",),
        ),
        (
            {"kind": "corrected", "struck": (state("halted"),)},
            ("تصحيح: لم يعد أحد يقول: توقف؛ سُحب الخبر",),
            ("Corrected: nobody says any more: halted; the story is withdrawn",),
        ),
    ],
)
def test_a_message_says_what_came_about(
    part: dict[str, Any], arabic: tuple[str, ...], english: tuple[str, ...]
) -> None:
    for manner, said in ((ARABIC, arabic), (ENGLISH, english), (Manner(), arabic + english)):
        shown = message(alert(**part), manner)
        assert shown.news == said
        for line in said:
            assert line in mail_html(shown)
            assert line in mail_text(shown)
            assert line in payload(shown)["blocks"][2]["text"]["text"]


def test_a_message_names_outlets_and_counts_those_that_are_independent() -> None:
    shown = message(alert(independent=3), ENGLISH)
    assert (
        shown.outlets
        == "\u2068الوسط\u2069, \u2068Libya Herald\u2069 — \u20683 independent sources\u2069"
    )
    assert shown.outlets in mail_text(shown)
    assert message(alert(independent=1), ENGLISH).outlets.endswith("\u2069")


def test_labels_are_in_the_receivers_language_and_times_on_its_clock() -> None:
    shown = message(alert(), ENGLISH)
    assert shown.seen == "2026-03-01 14:00 EET"
    text = mail_text(shown)
    assert "Source:" in text
    assert "المصدر" not in text
    assert "المصدر" in mail_text(message(alert(), ARABIC))
    assert "Source" not in mail_text(message(alert(), ARABIC))


@pytest.mark.parametrize(("manner", "side"), [(ARABIC, "rtl"), (ENGLISH, "ltr"), (Manner(), "rtl")])
def test_a_mail_runs_in_the_direction_of_its_language(manner: Manner, side: str) -> None:
    assert f'dir="{side}">' in mail_html(message(alert(), manner)).splitlines()[1]


def test_a_follow_up_by_mail_answers_the_first() -> None:
    options = EmailOptions("rasid@desk.example", ("a@desk.example",), "127.0.0.1", 25)
    first = make_alert()
    changed = Alert(**{**{f: getattr(first, f) for f in first.__struct_fields__},
                       "id": "f00d", "thread": first.id})  # fmt: skip
    mail, answer = compose(first, "desk", options), compose(changed, "desk", options)
    assert answer["In-Reply-To"] == answer["References"] == mail["Message-ID"]
    assert mail["In-Reply-To"] is None
    assert answer["Message-ID"] != mail["Message-ID"]
