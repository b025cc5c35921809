"""When something happened is told where its sentence says so, and never when in doubt."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.happened import dated, when
from streams.records import Flag, Happened, Span

# Wednesday, ten in the morning in Tripoli.
PUBLISHED = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
WED, TUE, MON, FRI = date(2026, 3, 4), date(2026, 3, 3), date(2026, 3, 2), date(2026, 2, 27)


def flag(sentence: str, trigger: str, **changes: Any) -> Flag:
    start = sentence.index(trigger)
    fields: dict[str, Any] = {
        "theme": "oil_field",
        "development": "attacked",
        "score": 0.9,
        "rule": "r",
        "spans": (Span(field="text", start=start, end=start + len(trigger)),),
        "quote": sentence,
        "countries": ("LY",),
    }
    return Flag(**{**fields, **changes})


def told(sentence: str, trigger: str, published: datetime | None = PUBLISHED) -> Happened | None:
    return when(flag(sentence, trigger), "", sentence, published, "LY")


@pytest.mark.parametrize(
    ("sentence", "trigger", "day", "part", "written"),
    [
        ("قصفت مسيّرة حقل الواحة فجر الثلاثاء.", "قصفت", TUE, "dawn", "فجر الثلاثاء"),
        ("قصفت مسيّرة، مساء أمس، حقل الواحة.", "قصفت", TUE, "evening", "مساء أمس"),
        ("قصفت مسيّرة حقل الواحة صباح اليوم الأربعاء.", "قصفت", WED, "morning",
         "صباح اليوم الأربعاء"),
        ("توقف الضخ أول من أمس.", "توقف", MON, "", "أول من أمس"),
        ("قُصف الحقل يوم الجمعة 27 شباط/فبراير.", "قُصف", FRI, "", "يوم الجمعة 27 شباط/فبراير"),
        ("قُصف الحقل في 27 فبراير 2026 بمسيّرتين.", "قُصف", FRI, "", "27 فبراير 2026"),
        ("قُصف الحقل ليل الإثنين.", "قُصف", MON, "night", "ليل الإثنين"),
        ("اقتحم مسلحون الحقل الجمعة الماضي.", "اقتحم", FRI, "", "الجمعة الماضي"),
        ("هوجم الحقل في ساعة مبكرة من صباح الثلاثاء.", "هوجم", TUE, "morning", "صباح الثلاثاء"),
        ("أعلنت الشركة استئناف الضخ في الحقل مساء الثلاثاء.", "استئناف", TUE, "evening",
         "مساء الثلاثاء"),
        ("قال مهندس إن مسلحين هاجموا الحقل أمس.", "هاجموا", TUE, "", "أمس"),
        ("Gunmen seized the field on Tuesday evening.", "seized", TUE, "evening",
         "Tuesday evening"),
        ("Gunmen seized the field yesterday, officials said.", "seized", TUE, "", "yesterday"),
        ("Gunmen seized the field on 27 February.", "seized", FRI, "", "27 February"),
        ("Gunmen seized the field on Feb. 27.", "seized", FRI, "", "Feb. 27"),
    ],
)  # fmt: skip
def test_a_day_or_a_part_of_one(
    sentence: str, trigger: str, day: date, part: str, written: str
) -> None:
    found = told(sentence, trigger)
    assert found is not None
    assert (found.day, found.part, found.text) == (day, part, written)


@pytest.mark.parametrize(
    ("sentence", "trigger"),
    [
        ("قال مصدر، الثلاثاء، إن مسلحين هاجموا الحقل.", "هاجموا"),  # when it was said
        ("أعلنت الشركة، الثلاثاء، استئناف الضخ.", "استئناف"),
        ("أعلنت وزارة الدفاع التركية، الثلاثاء، تحييد مسلحين.", "التركية"),
        ("يتوقف الضخ منذ فجر الثلاثاء.", "يتوقف"),  # since when
        ("توقف الضخ حتى مساء اليوم.", "توقف"),
        ("توقف الضخ اعتبارا من صباح الثلاثاء.", "توقف"),
        ("اتفق الطرفان على هدنة تبدأ فجر الثلاثاء.", "اتفق"),  # of something else
        ("خرق المسلحون الاتفاق الموقع أمس.", "خرق"),
        ("توقف الضخ بعد هجوم شنه مسلحون أمس.", "توقف"),
        ("قُتل حارس برصاص قناص، في المدينة، أمس.", "قُتل"),
        ("سيُستأنف الضخ الخميس المقبل.", "سيُستأنف"),  # to come
        ("قصفت مسيّرة الحقل مساء اليوم.", "قصفت"),  # at ten in the morning?
        ("قصفت مسيّرة الحقل أمس الأحد.", "قصفت"),  # yesterday was Tuesday
        ("قصفت مسيّرة الحقل الجمعة 28 فبراير.", "قصفت"),  # which was a Saturday
        ("قصفت مسيّرة الحقل في 12 يناير 2024.", "قصفت"),  # no news
        ("قصفت مسيّرة الحقل ليل الاثنين – الثلاثاء.", "قصفت"),
        ("قصفت مسيّرة الحقل في اليوم الثاني من الهدنة.", "قصفت"),
        ("يضخ الحقل بعد القصف 70 ألف برميل في اليوم.", "القصف"),
        ("وقع قصف قرب سوق الجمعة.", "قصف"),
        ("قصفت مسيّرة الحقل الإثنين وأعادت قصفه الثلاثاء.", "الحقل"),  # which?
        ("The ministry said on Tuesday gunmen seized the field.", "seized"),
        ("Gunmen seized the field after a truce ended on Tuesday.", "seized"),
        ("The field has been shut since Tuesday.", "shut"),
        ("Gunmen broke the truce they signed on Tuesday.", "broke"),
    ],
)
def test_nothing_when_in_doubt(sentence: str, trigger: str) -> None:
    assert told(sentence, trigger) is None


def test_nothing_of_what_is_denied_or_to_come_or_undated() -> None:
    sentence = "قصفت مسيّرة حقل الواحة فجر الثلاثاء."
    assert when(flag(sentence, "قصفت", status="denied"), "", sentence, PUBLISHED, "LY") is None
    assert when(flag(sentence, "قصفت", status="expected"), "", sentence, PUBLISHED, "LY") is None
    assert told(sentence, "قصفت", None) is None


def test_the_day_is_that_of_the_source() -> None:
    sentence = "قصفت مسيّرة حقل الواحة مساء اليوم."
    late = datetime(2026, 3, 4, 21, 30, tzinfo=UTC)
    found = when(flag(sentence, "قصفت"), "", sentence, late, "QA")  # half past midnight in Doha
    assert found is None, "today may be the day before"
    assert told(sentence, "قصفت", late) == Happened(day=WED, part="evening", text="مساء اليوم")
    # A source of a country with many clocks: that of where it happened.
    found = when(flag(sentence, "قصفت"), "", sentence, late, "RU")
    assert found == Happened(day=WED, part="evening", text="مساء اليوم")
    nowhere = flag(sentence, "قصفت", countries=())
    assert when(nowhere, "", sentence, late, None) is None


def test_a_flag_keeps_what_it_has() -> None:
    sentence = "قصفت مسيّرة حقل الواحة فجر الثلاثاء."
    one = flag(sentence, "قصفت")
    assert dated(one, "", sentence, PUBLISHED, "LY").happened == told(sentence, "قصفت")
    other = flag("قصفت مسيّرة حقل الواحة.", "قصفت")
    assert dated(other, "", other.quote, PUBLISHED, "LY") is other


WORDS = st.sampled_from(
    ["قصفت", "فجر", "يوم", "اليوم", "أمس", "من", "أول", "الثلاثاء", "31", "كانون", "الثاني", "/",
     "يناير", "،", "-", "2026", "on", "this", "morning", "Feb", ".", "29", "فبراير", "الماضي"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(WORDS | st.text(max_size=8), max_size=20))
def test_no_text_breaks_it(pieces: list[str]) -> None:
    sentence = "قصفت " + " ".join(pieces)
    found = told(sentence, "قصفت")
    assert found is None or found.text in sentence
    assert found is None or found.day <= WED
