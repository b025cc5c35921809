"""Headline and lead say in which words and at which places an article tells of its event."""

import pytest

from processors.atlas import Atlas
from processors.flagger import Document, Flagger, load_flagger
from processors.lead import LEAD, Lead, read_lead


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return Atlas()


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


def read(
    flagger: Flagger,
    atlas: Atlas,
    title: str,
    text: str,
    language: str = "ar",
    home: str | None = None,
) -> Lead:
    document = Document(title, text, language, source_country=home)
    return read_lead(document, flagger.book(document), atlas)


@pytest.mark.parametrize(
    ("label", "code", "way"),
    [
        ("الشرارة", "LY", "LY/فزان/اوباري/شرارة"),
        ("Sharara", "LY", "LY/فزان/اوباري/شرارة"),  # one place in every script
        ("شرق ليبيا", "LY", ""),  # places nothing
        ("لا أحد يعرفها", "LY", "LY/لا احد يعرفها"),
    ],
)
def test_a_place_is_the_way_down_to_it(atlas: Atlas, label: str, code: str, way: str) -> None:
    assert atlas.place(label, (code,)) == way


def test_a_province_holds_its_places(atlas: Atlas) -> None:
    for held, code, region in (
        ("الضبة", "YE", "حضرموت"),
        ("جباتا الخشب", "SY", "القنيطرة"),
        ("رفح", "PS", "قطاع غزة"),
        ("مطار الغيضة", "YE", "الغيضة"),
        ("Kiswah", "SY", "ريف دمشق"),
    ):
        assert atlas.place(held, (code,)).startswith(atlas.place(region, (code,)) + "/")


def test_it_is_where_headline_and_first_sentence_say(flagger: Flagger, atlas: Atlas) -> None:
    lead = read(
        flagger,
        atlas,
        "هجوم على حقل الشرارة",
        "هاجمت طائرة مسيّرة حقل الشرارة النفطي في ليبيا. وتوقف الضخ إلى مدينة الزاوية.",
    )
    assert lead.places == ("LY/فزان/اوباري/شرارة",)
    assert lead.passing == ("LY/زاوية",)
    assert lead.countries == ("LY",)


@pytest.mark.parametrize(
    ("title", "home", "places"),
    [
        ("اشتباكات في الزاوية", "LY", ("LY/زاوية",)),  # the corner, too
        ("اشتباكات في الزاوية", "EG", ()),
        ("اشتباكات في الزاوية", None, ()),
        ("غارات على حماة في وسط سوريا", "LY", ("SY/حماة",)),
        ("قوات حماة الوطن تنتشر في سوريا", "SY", ()),  # nothing announces it
        ("Shells fall on Zillah oilfield", "LY", ("LY/جفرة/زلة",)),
    ],
)
def test_a_name_that_is_a_word_too_is_a_place_where_a_word_before_it_says_so(
    flagger: Flagger, atlas: Atlas, title: str, home: str | None, places: tuple[str, ...]
) -> None:
    language = "en" if title.isascii() else "ar"
    assert read(flagger, atlas, title, "", language, home).places == places


@pytest.mark.parametrize(
    ("title", "countries"),
    [
        ("الدعم السريع تعلن هدنة", ("SD",)),
        ("الحوثيون يرفضون الهدنة", ("YE",)),
        ("حماس والحوثيون يرفضون الهدنة", ()),
        ("الدعم السريع تهاجم من تشاد", ("TD",)),
        ("المسلحون يعلنون هدنة", ()),
    ],
)
def test_where_no_country_is_named_it_is_where_the_party_is_at_home(
    flagger: Flagger, atlas: Atlas, title: str, countries: tuple[str, ...]
) -> None:
    assert read(flagger, atlas, title, "").countries == countries


@pytest.mark.parametrize(
    ("title", "village"),
    [
        ("قوة تدخل قرية الزعرورة بريف القنيطرة", "زعرورة"),
        ("قوة تدخل بلدة بيت سرحان بريف القنيطرة", "بيت سرحان"),
        ("قوة تدخل قرية حدودية بريف القنيطرة", None),
        ("قوة تدخل الزعرورة بريف القنيطرة", None),
    ],
)
def test_a_village_that_nobody_lists_lies_in_the_province_named_with_it(
    flagger: Flagger, atlas: Atlas, title: str, village: str | None
) -> None:
    province = atlas.place("القنيطرة", ("SY",))
    places = (province, f"{province}/{village}") if village else (province,)
    assert read(flagger, atlas, title, "", home="SY").places == places


@pytest.mark.parametrize(
    ("title", "struck"),
    [
        ("غارات عنيفة في صنعاء", True),
        ("طائرات تقصف صنعاء", True),
        ("محادثات هدنة في صنعاء", False),
        ("صنعاء تندد بغارات على الحديدة", False),
    ],
)
def test_a_capital_is_the_place_of_strikes_that_a_headline_tells_of(
    flagger: Flagger, atlas: Atlas, title: str, struck: bool
) -> None:
    assert ("YE/صنعاء" in read(flagger, atlas, title, "").places) == struck


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("مسيّرة تسقط قرب مطار أربيل", "IQ/اربيل/مطار"),
        ("Drone falls near Erbil airport", "IQ/اربيل/مطار"),
        ("مسيّرة تسقط في أربيل", "IQ/اربيل"),
        ("غارة على مطار صنعاء", "YE/صنعاء/مطار صنعاء"),  # listed by this name
        ("Raid on Sanaa airport", "YE/صنعاء/مطار صنعاء"),
        ("غارة على مطار تي فور في سوريا", "SY/ريف حمص/تدمر/مطار التيفور"),
        ("قصف ميناء طبرق في ليبيا", "LY/اقليم برقة/طبرق/ميناء"),
        ("قصف ميناء الحريقة في ليبيا", "LY/اقليم برقة/طبرق/حريقة"),  # the port's own name
    ],
)
def test_an_airport_lies_in_the_town_it_is_named_after(
    flagger: Flagger, atlas: Atlas, title: str, place: str
) -> None:
    lead = read(flagger, atlas, title, "", "en" if title.isascii() else "ar")
    assert place in (*lead.places, *lead.passing)


def test_words_are_the_same_however_arabic_writes_onto_them(flagger: Flagger, atlas: Atlas) -> None:
    one = read(flagger, atlas, "", "قصفت المسيّرات الخزانين 12")
    other = read(flagger, atlas, "", "قصفت مسيرات خزان 12 والخزانين")
    assert set(one.words) <= set(other.words)
    assert list(one.words) == sorted(one.words)


def test_what_stands_beyond_the_lead_is_not_read(flagger: Flagger, atlas: Atlas) -> None:
    text = "كلمة " * (LEAD // 5)
    assert read(flagger, atlas, "", text + " درنة") == read(flagger, atlas, "", text)
