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


def read(flagger: Flagger, atlas: Atlas, title: str, text: str, language: str = "ar") -> Lead:
    document = Document(title, text, language)
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


def test_words_are_the_same_however_arabic_writes_onto_them(flagger: Flagger, atlas: Atlas) -> None:
    one = read(flagger, atlas, "", "قصفت المسيّرات الخزانين 12")
    other = read(flagger, atlas, "", "قصفت مسيرات خزان 12 والخزانين")
    assert set(one.words) <= set(other.words)
    assert list(one.words) == sorted(one.words)


def test_what_stands_beyond_the_lead_is_not_read(flagger: Flagger, atlas: Atlas) -> None:
    text = "كلمة " * (LEAD // 5)
    assert read(flagger, atlas, "", text + " درنة") == read(flagger, atlas, "", text)
