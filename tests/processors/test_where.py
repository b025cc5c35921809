"""Where it happens, and who is foreign there."""

import pytest

from processors.flagger import Document, Flagger, load_flagger
from tests.fakes.flags import found


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("قصفت طائرات تركية مواقع في شمال العراق.", "IQ"),
        ("وصلت قوات روسية إلى مطار القامشلي في سوريا.", "SY"),
        ("قتل ثلاثة من عناصر حزب الله اللبناني في ريف حمص.", "SY"),
        ("انتشرت قوات إماراتية في مدينة عدن.", "YE"),
        ("دخلت قوات إثيوبية بلدة في ولاية القضارف شرق السودان.", "SD"),
        ("شنت إسرائيل غارات على مواقع في دمشق.", "SY"),
        ("قصفت إسرائيل دمشق.", "SY"),
        ("توغلت دبابات إسرائيلية داخل الأراضي السورية.", "SY"),
        ("أطلق الحوثيون صاروخا باليستيا على الرياض.", "SA"),
        ("البرلمان التركي يجدد لعامين مهمة جنوده في ليبيا.", "LY"),
    ],
)
def test_a_force_away_from_home_is_foreign(flagger: Flagger, text: str, country: str) -> None:
    flags = [f for f in flagger.flag(Document("", text, "ar")) if f.theme == "foreign_force"]
    assert flags
    assert flags[0].countries == (country,)


@pytest.mark.parametrize(
    "text",
    [
        "قصف الجيش السوري مواقع للمعارضة في ريف حلب.",
        "انتشر الجيش اللبناني في بيروت وصيدا.",
        "قتل جندي تركي في هجوم بمدينة ديار بكر.",
        "دخلت القوات العراقية مدينة الموصل.",
        "نفذ الجيش المصري عملية في شمال سيناء.",
        "تتهم واشنطن ولندن الجيش السوري بقصف أحياء في حلب.",
        "قصف الطيران التركي مواقع المسلحين قرب الحدود مع سوريا في ديار بكر.",
        "قصف الحوثيون أحياء سكنية في تعز.",
        "دعا الناشط إلى دعم قوات الحشد الشعبي في العراق.",
        "دعا الجيش السوداني جنوده إلى القتال حتى خروج قوات الدعم السريع من بيوت المواطنين.",
        "وصلت طائرات عسكرية سعودية تحمل مساعدات إنسانية إلى عدن.",
        "نشرت الشرطة الإسرائيلية تعزيزات من قوات الشرطة في القدس المحتلة.",
        "وصف الكاتب خصومه في ليبيا بأنهم مرتزقة الأقلام.",
    ],
)
def test_a_force_at_home_is_not(flagger: Flagger, text: str) -> None:
    assert not [f for f in flagger.flag(Document("", text, "ar")) if f.theme == "foreign_force"]


def test_the_headline_tells_where(flagger: Flagger) -> None:
    flags = found(flagger, "وصلت القوات التركية صباح اليوم.", "أنباء من العاصمة الليبية في طرابلس")
    assert flags["foreign_force", "deployed"].countries == ("LY",)


@pytest.mark.parametrize(
    "dateline", ["نيويورك – (السهى) – ", "نيويورك 3 مايو (شينخوا) -- ", "نيويورك: مراسلنا\n"]
)
def test_where_a_report_was_written_is_not_where_it_happened(
    flagger: Flagger, dateline: str
) -> None:
    text = "قالت خبيرة أممية إن طائرات شحن إماراتية نقلت أسلحة إلى قوات الدعم السريع في دارفور."
    flag = found(flagger, dateline + text)["foreign_force", "support"]
    assert flag.countries == ("SD",)
    assert "نيويورك" not in flag.places


def test_where_a_report_was_written_counts_where_nothing_else_is_told(flagger: Flagger) -> None:
    text = "طرابلس - رويترز: وصل مئات المرتزقة الروس إلى قاعدة جوية في جنوب البلاد أمس الأحد."
    assert found(flagger, text)["foreign_force", "deployed"].countries == ("LY",)


def test_a_truce_signed_abroad_is_not_the_hosts(flagger: Flagger) -> None:
    text = "وقع الجيش والدعم السريع في جدة اتفاقا لوقف إطلاق النار. ويستمر القتال في السودان."
    assert found(flagger, text)["ceasefire", "agreed"].countries == ("SD",)
    alone = "أعلنت أنقرة وحزب العمال الكردستاني وقفا لإطلاق النار في شرق تركيا."
    assert found(flagger, alone)["ceasefire", "agreed"].countries == ("TR",)


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("الجزائر تنفي إرسال وحدات عسكرية إلى ليبيا.", {"LY"}),
        (
            "قصفت طائرات رواندية مواقع للجيش في شرق الكونغو. ونفت رواندا مشاركة قواتها في القتال.",
            {"CD"},
        ),
    ],
)
def test_the_home_of_a_force_that_is_denied_is_not_where_it_acts(
    flagger: Flagger, text: str, countries: set[str]
) -> None:
    flags = [f for f in flagger.flag(Document("", text, "ar")) if f.theme == "foreign_force"]
    assert {code for flag in flags for code in flag.countries} == countries


def test_a_raid_on_a_village_no_list_has_is_flagged_and_one_at_home_is_not(
    flagger: Flagger,
) -> None:
    assert found(flagger, "غارة إسرائيلية على سيارة في بلدة كفررمان.").keys() == {
        ("foreign_force", "strike")
    }
    assert not found(flagger, "غارات مصرية على مسلحين في سيناء.")


def test_two_events_in_two_countries_are_two_flags(flagger: Flagger) -> None:
    text = "قصفت طائرات تركية مواقع في شمال العراق. وشنت طائرات حربية روسية غارات في إدلب."
    flags = [f for f in flagger.flag(Document("", text, "ar")) if f.development == "strike"]
    assert {flag.countries for flag in flags} == {("IQ",), ("SY",)}


def test_whence_its_forces_leave_is_not_whose_they_are(flagger: Flagger) -> None:
    flags = flagger.flag(Document("", "سحبت فرنسا قواتها من مالي أمس.", "ar"))
    assert [(flag.development, flag.countries) for flag in flags] == [("withdrawn", ("ML",))]


@pytest.mark.parametrize(
    ("text", "development"),
    [
        ("عاد 300 جندي سوداني من اليمن إلى الخرطوم.", "withdrawn"),
        ("عودة القوات الإماراتية من عدن إلى أبوظبي.", "withdrawn"),
        ("نظمت أسر في الخرطوم وقفة للمطالبة بسحب القوات السودانية من اليمن.", "withdrawal_called"),
    ],
)
def test_those_who_come_home_were_abroad(flagger: Flagger, text: str, development: str) -> None:
    flags = {f.development: f.countries for f in flagger.flag(Document("", text, "ar"))}
    assert flags == {development: ("YE",)}


def test_a_government_that_speaks_is_not_where_its_soldiers_fall(flagger: Flagger) -> None:
    title = "مقتل 45 جنديا إماراتيا بصاروخ في مأرب"
    text = (
        "استهدف صاروخ معسكرا في مأرب. وأعلنت البحرين مقتل خمسة من جنودها، فيما أفاد أطباء "
        "بأن جنودا يمنيين لقوا حتفهم."
    )
    flags = flagger.flag(Document(title, text, "ar"))
    assert {f.countries for f in flags if f.development == "casualties"} == {("YE",)}


def test_those_who_come_on_are_where_they_come_to(flagger: Flagger) -> None:
    text = "مقاتلات روسية وصلت إلى قاعدة الجفرة قادمة من سوريا."
    flags = {f.development: f.countries for f in flagger.flag(Document("", text, "ar"))}
    assert flags["deployed"] == ("LY",)
