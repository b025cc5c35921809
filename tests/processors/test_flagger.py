"""What one document gives: how sure it is, and exact evidence."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.flagger import LATE, Document, Flagger, load_flagger
from streams.records import Report, decode, encode
from tests.fakes.flags import found


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


FLAGGER = load_flagger(check_examples=False)


@pytest.mark.parametrize(
    ("text", "key", "status"),
    [
        ("نفت روسيا وجود مرتزقة روس في ليبيا.", ("foreign_force", "denied"), "denied"),
        ("نفت الحركة التوصل إلى هدنة في غزة.", ("ceasefire", "rejected"), "asserted"),
        ("دعت الأمم المتحدة إلى هدنة في ليبيا.", ("ceasefire", "called_for"), "called_for"),
        ("قال متحدث إن محتجين أغلقوا حقل الشرارة.", ("oil_field", "halted"), "reported"),
        ("من المقرر أن تعلن الأطراف هدنة في تعز.", ("ceasefire", "agreed"), "expected"),
        (
            "على القوات التركية الخروج من سوريا.",
            ("foreign_force", "withdrawal_called"),
            "called_for",
        ),
        (
            "مدد البرلمان المهمة على أن تنسحب القوات التركية من سوريا.",
            ("foreign_force", "withdrawn"),
            "expected",
        ),
        ("تعرض مطار دمشق لقصف إسرائيلي.", ("foreign_force", "strike"), "asserted"),
        (
            "حذر من أن أي هجوم أميركي على سوريا سيقابل برد.",
            ("foreign_force", "threatened"),
            "conditional",
        ),
        ("قال المتحدث إن موسكو قد ترسل قوات إلى مالي.", ("foreign_force", "deployed"), "expected"),
        ("أكد المتحدث أن موسكو قد أرسلت قوات إلى مالي.", ("foreign_force", "deployed"), "reported"),
        (
            "دعا نائب رئيس كتلة الإصلاح في مجلس النواب العراقي السابق عن محافظة ديالى، القوات "
            "الأميركية إلى مغادرة البلاد.",
            ("foreign_force", "withdrawal_called"),
            "called_for",
        ),
        (
            "كتب المحافظ على تلغرام إن قوات روسية دخلت بلدات في أوكرانيا.",
            ("foreign_force", "deployed"),
            "asserted",
        ),
        ("الحكومة السودانية توقع اتفاق وقف إطلاق النار.", ("ceasefire", "agreed"), "asserted"),
        (
            "لم يتضح ما إذا قصفت طائرات تركية مواقع في سوريا.",
            ("foreign_force", "strike"),
            "asserted",
        ),
    ],
)
def test_status(flagger: Flagger, text: str, key: tuple[str, str], status: str) -> None:
    assert found(flagger, text)[key].status == status


@pytest.mark.parametrize(
    "text",
    [
        "متى ما دخلت الهدنة حيز التنفيذ في السودان فستعود المنظمات.",
        "يستعد المقاتلون لقتل جنود روس في أوكرانيا.",
        "إذا قتل جندي أميركي في العراق فسيرد البنتاغون.",
        "طالب المتظاهرون بتسليح المعارضة السورية من تركيا.",
    ],
)
def test_what_a_theme_drops_with_a_status_is_not_told(flagger: Flagger, text: str) -> None:
    assert flagger.flag(Document("", text, "ar")) == []


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("أعلنت الحركة أنها في حل من الهدنة المبرمة قبل سنوات في الجنوب.", {"ended"}),
        ("أبان الوزير أن الطائرات الروسية قصفت مواقع في إدلب السورية.", {"strike"}),
        ("إبان حرب الخليج قصفت طائرات أميركية مواقع في بغداد.", set()),
        ("تحدث الوزير عن صاروخ قرب مصفاة الزاوية.", set()),
        ("في الهند امرأة حركت يدها اليمنى وقالت إنها ضربت تمساحا.", set()),
        ("اقتحم مسلحون مصفى بيجي. ويعد مصفى بيجي الأكبر بطاقة مئة ألف برميل.", {"seized"}),
    ],
)
def test_words_that_look_like_others(flagger: Flagger, text: str, due: set[str]) -> None:
    assert {f.development for f in flagger.flag(Document("", text, "ar"))} == due


def test_the_opposition_refuses_nothing_by_its_name(flagger: Flagger) -> None:
    told = found(flagger, "رحبت المعارضة السورية بوقف إطلاق النار.")
    assert {development for _, development in told} == {"agreed"}


def test_a_number_of_soldiers_is_no_year(flagger: Flagger) -> None:
    flags = flagger.flag(Document("", "ينتشر 1960 جنديا روسيا في ممر لاتشين منذ أمس.", "ar"))
    assert [(flag.development, flag.status) for flag in flags] == [("deployed", "asserted")]


@pytest.mark.parametrize(
    "text",
    [
        "أعلنت الأطراف هدنة عام 1991 في البلاد.",
        "توصل الطرفان قبل سنوات إلى هدنة لم يكتب لها النجاح.",
        "في ذكرى الحرب استعاد المحاربون لحظة إعلان وقف إطلاق النار.",
    ],
)
def test_what_is_long_past_is_no_news(flagger: Flagger, text: str) -> None:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    flags = flagger.flag(Document("", text, "ar", published=when))
    assert flags == []


def test_quantities_keep_their_unit(flagger: Flagger) -> None:
    flag = found(flagger, "أغلق محتجون حقل الشرارة الذي ينتج ٧٠ ألف برميل يومياً في ليبيا.")[
        "oil_field", "halted"
    ]
    (quantity,) = flag.quantities
    assert (quantity.value, quantity.unit, quantity.of) == (70_000, "barrels_per_day", "oil")
    assert quantity.text == "٧٠ ألف برميل يومياً"
    flag = found(flagger, "وصل 1,400 مرتزق روسي إلى ليبيا.")["foreign_force", "deployed"]
    assert [(q.value, q.unit) for q in flag.quantities] == [(1400, "fighters")]


def test_speaker_places_and_actors_are_named(flagger: Flagger) -> None:
    flag = found(flagger, "قال المتحدث باسم الجيش الليبي إن مرتزقة من فاغنر انسحبوا من مدينة سرت.")[
        "foreign_force", "withdrawn"
    ]
    assert flag.speaker == "المتحدث باسم الجيش الليبي"
    assert flag.places == ("سرت",)
    assert any("فاغنر" in actor or "مرتزقة" in actor for actor in flag.actors)


@pytest.mark.parametrize(
    ("title", "text", "speaker"),
    [
        (
            "",
            "وفق ما أفاد به سكان محليون قصفت طائرات تركية قرى في ريف دهوك العراقية.",
            "سكان محليون",
        ),
        ("", "قصفت طائرات تركية دهوك العراقية، بحسب ما قاله عضو في البرلمان.", "عضو"),
        ("", "قصفت طائرات تركية قرى في دهوك العراقية، وقال والد القتيل إنه راع.", "والد القتيل"),
        ("", "أعلن البنتاغون عن ضربات أمريكية على مواقع في شرق سوريا.", "البنتاغون"),
        ("", "نفت أنقرة مؤكدة حرصها على السلام قصف طائرات تركية قرى في العراق.", "أنقرة"),
        (
            "",
            "قصفت طائرات روسية إدلب، ما أدى إلى مقتل ما لا يقل عن 52 شخصا في المدينة السورية.",
            None,
        ),
        ("جوبا تعلن سيطرة قواتها على حقل هجليج السوداني", "", "جوبا"),
        ("", "شنت طائرات أمريكية غارات على صنعاء، واعتبر ذلك خرقا للسيادة اليمنية.", None),
    ],
)
def test_who_says_it_is_a_name_and_no_more(
    flagger: Flagger, title: str, text: str, speaker: str | None
) -> None:
    flags = flagger.flag(Document(title, text, "ar"))
    assert flags
    assert {flag.speaker for flag in flags} == {speaker}


def test_what_came_of_all_these_years_is_no_news(flagger: Flagger) -> None:
    assert found(flagger, "شهد ميناء السدرة في ليبيا هجمات عدة.")
    assert found(flagger, "شهد ميناء السدرة في ليبيا خلال السنوات الماضية هجمات عدة.") == {}


def test_letters_in_the_shapes_they_are_printed_in(flagger: Flagger) -> None:
    text = "ﺗﻮﻗﻒ ﺍﻟﻀﺦ ﻣﻦ ﺣﻘﻞ ﺍﻟﺸﺮﺍﺭﺓ ﻓﻲ ﻟﻴﺒﻴﺎ."
    flags = flagger.flag(Document("", text))
    assert [(f.development, f.countries) for f in flags] == [("halted", ("LY",))]


def test_a_patrol_and_an_elected_government_are_no_sport(flagger: Flagger) -> None:
    text = "دعت الحكومة المنتخبة إلى هدنة في سرت. وعادت الدورية. ورحبت الدورية المشتركة بالهدنة."
    assert ("ceasefire", "called_for") in found(flagger, text)
    assert found(flagger, text + " وفاز المنتخب بكأس الدوري.", "مباراة في الدوري") == {}


def test_one_event_told_twice_is_one_flag(flagger: Flagger) -> None:
    text = "أغلق محتجون حقل الشرارة في ليبيا. وكرر مصدر أن محتجين أغلقوا حقل الشرارة في ليبيا."
    flags = [f for f in flagger.flag(Document("", text, "ar")) if f.development == "halted"]
    assert len(flags) == 1


def test_the_lead_weighs_more_than_the_tail(flagger: Flagger) -> None:
    news = "أغلق محتجون حقل الشرارة في ليبيا."
    filler = "وتحدث الوزير عن خطط البلدية لتحسين الطرق في المدينة. " * 8
    key = ("oil_field", "halted")
    assert found(flagger, news + filler)[key].score > found(flagger, filler + news)[key].score


def test_what_only_the_far_tail_tells_in_passing_is_no_news(flagger: Flagger) -> None:
    news = "وأعلنت أنقرة نشر قوات في ليبيا. "
    filler = "وتحدث الوزير عن خطط البلدية لتحسين الطرق في المدينة. "
    weak = "ويشارك مقاتلون أفغان في القتال بسوريا. "
    strong = "ونفت أنقرة إرسال مرتزقة."
    theme = {"foreign_force"}
    assert {name for name, _ in found(flagger, filler * 3 + weak)} == theme
    assert found(flagger, filler * LATE + weak) == {}
    assert {name for name, _ in found(flagger, filler * LATE + strong)} == theme
    assert {name for name, _ in found(flagger, news + filler * LATE + weak)} == theme


def test_spans_are_exact_under_marks_and_tatweel(flagger: Flagger) -> None:
    text = "\u200f«دَعَت» الأُمَمُ المُتَّحِدَة إلى وقــف\u200d «إطـلاق النـار» في طَرابُلُس."
    flag = found(flagger, text)["ceasefire", "called_for"]
    pieces = [text[s.start : s.end] for s in flag.spans]
    assert "وقــف\u200d «إطـلاق النـار" in pieces
    assert text.count(flag.quote) == 1


def test_flags_travel_as_records(flagger: Flagger) -> None:
    """Every rule's flags: what rule files hold is not what records hold."""
    now = datetime(2024, 5, 1, tzinfo=UTC)
    for _, text, due, _ in flagger.examples():
        language = Path(text.file).parent.name
        flags = tuple(flagger.flag(Document("", str(text), language)))
        report = Report(
            article_id="a", revision=1, url="u", title="", source="s", source_name="",
            language="ar", seen=now, flags=flags,
        )  # fmt: skip
        assert decode(Report, encode(report)).flags == flags
        assert flags or not due


WORDS = (
    "هدنة وقف إطلاق النار غارات تركية في سوريا قوات روسية حقل الشرارة . ، « » نفت دعت رفض مرتزقة "
    "ليبيا قصفت وصلت 1400 ألف برميل يوميا عام 2003 ـ ً abc ؟ التحالف العربي"
)
PIECES = st.sampled_from([*WORDS.split(), "\n", "\ud800", "\u200f"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=60).map(" ".join), st.text(max_size=40))
def test_any_text_gives_spans_within_it_and_quotes_from_it(text: str, title: str) -> None:
    for flag in FLAGGER.flag(Document(title, text)):
        assert 0 < flag.score <= 1
        assert flag.quote in text or flag.quote in title
        for span in flag.spans:
            field = title if span.field == "title" else text
            assert 0 <= span.start < span.end <= len(field)
        for quantity in flag.quantities:
            assert quantity.text in text + title


ODD = {
    "empty": "",
    "one token of a million letters": "ه" * 1_000_000,
    "no spaces": "هدنة" * 50_000,
    "only diacritics": "ًٌٍ" * 1000,
    "lone surrogates": "\ud800\udfff " * 1000,
    "tatweel": "ـ" * 100_000,
    "capitals": "CEASEFIRE " * 1000,
    "arabizi": "hodna fi libya el youm " * 500,
    "mixed": "هدنة truce 停战 перемирие " * 500,
    "digits": "1" * 100_000,
    "punctuation": "؟!،.«»" * 20_000,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_text_is_read_without_a_crash(flagger: Flagger, name: str) -> None:
    for language in ("ar", "en", "xx", None):
        flags = flagger.flag(Document(ODD[name][:500], ODD[name], language))
        assert isinstance(flags, list)
        if name != "mixed":
            assert flags == []


@pytest.mark.parametrize(
    "unit",
    [
        "وقال الوزير إن المشروع سيوفر فرص عمل في المدينة. ",
        "قصفت طائرات تركية مواقع في شمال العراق وانهارت الهدنة. ",
        "قصفت طائرات تركية مواقع في شمال العراق وانهارت الهدنة ",
        "«وقف " * 20 + "إطلاق ",
    ],
)
def test_time_grows_with_length_alone(flagger: Flagger, unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        began = time.thread_time()
        flagger.flag(Document("", text, "ar"))
        return time.thread_time() - began

    seconds(20_000)
    small, large = (min(seconds(n) for _ in range(2)) for n in (50_000, 200_000))
    assert large < small * 4 * 2.5 + 0.1


def test_five_megabytes_are_read(flagger: Flagger) -> None:
    text = "وقال الوزير إن المشروع سيوفر فرص عمل في المدينة. " * 55_000
    assert len(text.encode()) > 4_800_000
    assert flagger.flag(Document("", text, "ar")) == []


def test_the_same_text_gives_the_same_flags(flagger: Flagger) -> None:
    text = "انهارت الهدنة في غزة، وقصفت طائرات إسرائيلية خان يونس."
    first = flagger.flag(Document("", text, "ar"))
    assert first == load_flagger(check_examples=False).flag(Document("", text, "ar"))
    assert [f.score for f in first] == sorted((f.score for f in first), reverse=True)


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("قال المتحدث باسم الجيش أحمد الورفلي إن الهدنة انهارت في سرت.",
         "المتحدث باسم الجيش أحمد الورفلي"),
        ("مصادر مطلعة قالت إن الهدنة انهارت في سرت.", "مصادر مطلعة"),
        ("انهارت الهدنة في سرت، بحسب مصدر عسكري.", "مصدر عسكري"),
        ("جاء ذلك في وقت أعلنت فيه قوات حفتر استعادة السيطرة على حقل الفيل النفطي.", "قوات حفتر"),
        ("وأعلن أمس الناطق باسم البعثة خرق الهدنة في الحديدة.", "الناطق باسم البعثة"),
        ("وقال الوزير في تصريح صحفي: «لقد خرقوا الهدنة في تعز».", "الوزير"),
        ("نفت موسكو وجود مرتزقة روس في ليبيا.", "موسكو"),
        ("دعا غوتيريش إلى وقف فوري لإطلاق النار في ليبيا.", "غوتيريش"),
        ("انهارت الهدنة في سرت.", None),
        ("اندلعت اشتباكات بين الجيش والدعم السريع خرقا للهدنة في الخرطوم.", None),
        ("نقلت الوكالة عن ضابط قوله إن الهدنة في سرت انهارت.", "ضابط"),
    ],
)  # fmt: skip
def test_who_says_it(flagger: Flagger, text: str, speaker: str | None) -> None:
    assert flagger.flag(Document("", text, "ar"))[0].speaker == speaker


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("توقف حقل الشرارة الذي ينتج 70 ألف برميل يومياً.",
         [(70_000, "barrels_per_day", "70 ألف برميل يومياً")]),
        ("أغلق محتجون حقل السرير فخسرت البلاد مليون و200 ألف برميل.",
         [(1_200_000, "barrels", "مليون و200 ألف برميل")]),
        ("قتل ثلاثة جنود أتراك في هجوم بريف إدلب في سوريا.", [(3, "soldiers", "ثلاثة جنود")]),
        ("وصل 1,400 مرتزق روسي إلى ليبيا.", [(1400, "fighters", "1,400 مرتزق")]),
        ("سجلت البعثة مئة وعشرين خرقا لوقف إطلاق النار في الحديدة.",
         [(120, "breaches", "مئة وعشرين خرقا")]),
        ("وصلت ألفا مقاتل سوري و12 آلية إلى ليبيا لدعم قوات تركية.",
         [(2000, "fighters", "ألفا مقاتل"), (12, "vehicles", "12 آلية")]),
        ("توقف حقل الشرارة الذي ينتج مئتين وأربعين ألف برميل يومياً.",
         [(240_000, "barrels_per_day", "مئتين وأربعين ألف برميل يومياً")]),
        ("توقف حقل الشرارة وكان ينتج بين 200 و240 ألف برميل يومياً.",
         [(240_000, "barrels_per_day", "240 ألف برميل يومياً")]),
        ("وصل ألف ومئة وعشرون مرتزقاً روسيا إلى ليبيا.",
         [(1120, "fighters", "ألف ومئة وعشرون مرتزقاً")]),
        ("وصل ثلاثة آلاف جندي روسي إلى ليبيا.", [(3000, "soldiers", "ثلاثة آلاف جندي")]),
        ("وصل عشرات الآلاف من الجنود الروس إلى ليبيا.", []),
        ("وصلت مئات الآليات التركية وعشرات الجنود إلى ليبيا.", []),
    ],
)  # fmt: skip
def test_what_is_counted(
    flagger: Flagger, text: str, quantities: list[tuple[float, str, str]]
) -> None:
    (flag, *_) = flagger.flag(Document("", text, "ar"))
    assert [(q.value, q.unit, q.text) for q in flag.quantities] == quantities


def test_the_quote_is_the_shortest_sentence_that_says_it(flagger: Flagger) -> None:
    text = (
        "اتهمت الحكومة الجماعة بخرق الهدنة في تعز بعد اجتماع مطول حضره عدد من القادة والوجهاء. "
        "وخرقت الجماعة الهدنة في تعز."
    )
    assert found(flagger, text)["ceasefire", "violated"].quote == "وخرقت الجماعة الهدنة في تعز."


@pytest.mark.parametrize("line", ["اقرأ أيضاً: {}", "(شاهد أيضا) {}", "• طالع: {}"])
def test_a_line_that_leads_elsewhere_is_not_this_articles(flagger: Flagger, line: str) -> None:
    text = "عقد المجلس البلدي جلسته الشهرية وناقش موازنة العام وخطة النظافة.\n{}\n"
    there = "انهيار الهدنة في تعز وتجدد القصف"
    assert found(flagger, text.format(line.format(there))) == {}
    assert found(flagger, text.format(there))


def test_a_caption_weighs_less_than_a_sentence(flagger: Flagger) -> None:
    text = "جنود روس وصلوا إلى مطار القامشلي في سوريا"
    plain, under = found(flagger, text), found(flagger, f"صورة: {text} (رويترز)")
    key = ("foreign_force", "deployed")
    assert key in plain
    assert key not in under or under[key].score < plain[key].score


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("قتل مدني في أول خرق لوقف إطلاق النار الذي بدأ مطلع الأسبوع في تعز.", {"violated"}),
        ("جدد قائد الجيش رفضه أي هدنة مع المتمردين.", {"rejected"}),
        ("دعا المتحدث إلى صون وقف إطلاق النار المتفق عليه عام 2018 في الحديدة.", {"called_for"}),
        ("وقع المتحاربون هدنة في سبها ترفع الغطاء عن كل من يخرق الاتفاق.", {"agreed"}),
    ],
)
def test_a_truce_is_told_from_its_background(flagger: Flagger, text: str, due: set[str]) -> None:
    assert {f.development for f in flagger.flag(Document("", text, "ar"))} == due


@pytest.mark.parametrize(
    ("text", "development"),
    [
        ("أرسلت باريس ألف جندي إضافي إلى مالي لمواجهة المتشددين.", "deployed"),
        ("سحبت إثيوبيا لواءيها من إقليم جيدو الصومالي.", "withdrawn"),
        ("مسيّرة يُعتقد أنها أميركية تقصف موقعا في مأرب باليمن.", "strike"),
        ("قال الجيش الإيراني إنه سيقصف مقار كردية في أربيل مجددا.", "threatened"),
        ("طهران: لا مستشارين لنا في صنعاء.", "denied"),
        ("تدفق مقاتلون شيشان على سوريا للقتال إلى جانب المعارضة.", "deployed"),
    ],
)
def test_a_foreign_force_in_other_words(flagger: Flagger, text: str, development: str) -> None:
    assert ("foreign_force", development) in found(flagger, text)


CLOSED = "أغلق محتجون ميناء الزويتينة النفطي اليوم. "


@pytest.mark.parametrize(
    ("text", "due"),
    [
        (CLOSED + "وكانت المؤسسة استأنفت الإنتاج في حقل الشرارة.", {"halted"}),
        (CLOSED + "وقال مهندس إن الإنتاج في حقل الشرارة استؤنف في مايو.", {"halted"}),
        (CLOSED + "وقال مهندس إن الإنتاج في حقل الشرارة استؤنف.", {"halted", "resumed"}),
        (CLOSED + "وكان حقل الشرارة تعرض لهجوم مسلح.", {"halted", "attacked"}),
        (CLOSED + "وجاء ذلك بعد أيام من هجوم مسلح على حقل الشرارة.", {"halted"}),
        (CLOSED + "وجاء ذلك بعد ساعات من هجوم مسلح على حقل الشرارة.", {"halted", "attacked"}),
        ("وكانت المؤسسة استأنفت الإنتاج في حقل الشرارة.", {"resumed"}),
    ],
)
def test_what_is_recalled_counts_only_alone(flagger: Flagger, text: str, due: set[str]) -> None:
    assert {f.development for f in flagger.flag(Document("", text, "ar"))} == due
