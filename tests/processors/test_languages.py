"""English and French: the same themes in other folders of data, read by one normaliser."""

import pytest

from processors import latin
from processors.arabic import NOUN
from processors.flagger import Document, Flagger, load_flagger
from streams.records import Flag


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger(check_examples=False)


def found(
    flagger: Flagger, text: str, title: str = "", language: str | None = "en"
) -> dict[tuple[str, str], Flag]:
    flags = flagger.flag(Document(title, text, language))
    return {(flag.theme, flag.development): flag for flag in flags}


@pytest.mark.parametrize(
    ("text", "theme", "development"),
    [
        ("The two armies agreed to a ceasefire in Taiz.", "ceasefire", "agreed"),
        ("The truce was breached an hour later, monitors said.", "ceasefire", "violated"),
        ("A breach of the truce was reported in Homs.", "ceasefire", "violated"),
        ("The general rejected any truce with the rebels.", "ceasefire", "rejected"),
        ("A four-day truce expired on Sunday without a deal.", "ceasefire", "ended"),
        ("Protesters shut down the Sharara field.", "oil_field", "halted"),
        ("NOC lifted force majeure at the Zueitina terminal.", "oil_field", "resumed"),
        ("Drones hit an oil refinery overnight.", "oil_field", "attacked"),
        ("Turkish jets struck Sinjar in northern Iraq.", "foreign_force", "strike"),
        ("The last French troops pulled out of Niger.", "foreign_force", "withdrawn"),
        ("Wagner fighters were deployed in northern Mali.", "foreign_force", "deployed"),
        ("Two Turkish soldiers were killed in Idlib in Syria.", "foreign_force", "casualties"),
        ("An Israeli strike killed two in southern Lebanon.", "foreign_force", "strike"),
    ],
)
def test_english_says_it(flagger: Flagger, text: str, theme: str, development: str) -> None:
    assert (theme, development) in found(flagger, text)


@pytest.mark.parametrize(
    ("text", "theme", "development"),
    [
        ("Les deux armées ont signé un cessez-le-feu à Taëz.", "ceasefire", "agreed"),
        ("Les rebelles ont violé la trêve à Alep.", "ceasefire", "violated"),
        ("Un drone a frappé un champ pétrolier dans la nuit.", "oil_field", "attacked"),
        ("La production de pétrole a repris lundi en Libye.", "oil_field", "resumed"),
        ("Les derniers soldats français ont quitté le Niger.", "foreign_force", "withdrawn"),
        ("Un raid israélien a visé une base en Syrie.", "foreign_force", "strike"),
    ],
)
def test_french_says_it(flagger: Flagger, text: str, theme: str, development: str) -> None:
    assert (theme, development) in found(flagger, text, language="fr")


@pytest.mark.parametrize(
    "text",
    [
        "Washington and Beijing called a tariff truce, traders said.",
        "The club's striker attacked the Italian defence in Rome.",
        "Oil prices rose as OPEC kept its output unchanged; Brent was at $80.",
        "The Iraqi army bombed militants near Mosul in Iraq.",
        "The talks in the pipeline concern a wheat field.",
        "Let us agree, said the polish maker, that turkey is served in May.",
    ],
)
def test_it_is_not_that(flagger: Flagger, text: str) -> None:
    assert not found(flagger, text)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("Turkish warplanes bombed camps in northern Iraq.", "IQ"),
        ("Rwandan troops crossed into eastern Congo on Monday.", "CD"),
        ("Russian soldiers arrived in Syria to guard an airport.", "SY"),
    ],
)
def test_a_force_away_from_home_is_foreign(flagger: Flagger, text: str, country: str) -> None:
    flags = [f for f in flagger.flag(Document("", text, "en")) if f.theme == "foreign_force"]
    assert flags
    assert flags[0].countries == (country,)


def test_a_language_is_told_by_its_tag_else_by_its_script(flagger: Flagger) -> None:
    text = "The truce was breached in Homs, monitors said."
    assert found(flagger, text, language=None)
    assert found(flagger, text, language="en-GB")
    assert not found(flagger, text, language="fr")


def test_capitals_tell_names_from_words(flagger: Flagger) -> None:
    assert latin.fold("TURKEY") == latin.fold("Turkey") == "Turkey"
    assert latin.fold("turkey") == "turkey"
    assert latin.fold("US") == "US"
    assert latin.fold("us") == "us"
    assert latin.fold("Érythrée") == "Erythree"
    shouted = found(flagger, "", "CEASEFIRE AGREED IN LIBYA: ARMY DECLARES TRUCE")
    assert ("ceasefire", "agreed") in shouted


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("truces", "truce"),
        ("clashes", "clash"),
        ("refineries", "refinery"),
        ("aériennes", "aérien"),
        ("française", "français"),
        ("navales", "naval"),
        ("régionaux", "régional"),
    ],
)
def test_endings_are_taken_off(form: str, base: str) -> None:
    nouns = {rest for rest, classes, _ in latin.readings(latin.fold(form)) if classes & NOUN}
    assert latin.fold(base) in nouns


@pytest.mark.parametrize(
    ("parts", "forms"),
    [
        (["breach"], {"breach", "breaches", "breached", "breaching"}),
        (["strike", "struck"], {"strikes", "struck", "striking"}),
        (["deploy"], {"deploys", "deployed", "deploying"}),
        (["deny"], {"denies", "denied", "denying"}),
        (["ship"], {"shipped", "shipping"}),
        (["bombarder"], {"bombarde", "bombardent", "bombardee", "bombardant", "bombardera"}),
    ],
)
def test_a_verb_is_written_out(parts: list[str], forms: set[str]) -> None:
    assert forms <= latin.inflect(parts).keys()


@pytest.mark.parametrize(
    "text",
    ["", "' '", "a" * 1_000_000, "US " * 1000, "é\u0301\u200f", "\ud800 truce \udfff", "..!"],
)
def test_bad_input_gives_nothing(flagger: Flagger, text: str) -> None:
    for language in ("en", "fr"):
        assert not [f for f in flagger.flag(Document("", text, language)) if f.score > 0.5]
