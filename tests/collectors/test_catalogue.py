"""The bundled catalogue holds what it promises, and a mistake in such a file is found."""

from pathlib import Path

import pytest

from collectors.catalogue import BUNDLED, Feed, Source, load_catalogue, read_sources, select
from streams.errors import ConfigError

NAMED = {"yafa-news", "arabi21", "enab-baladi", "asharq-al-awsat", "al-resalah"}
EDITIONS = ("-en", "-fr", "-ar")


def outlets() -> set[str]:
    """Editions in another language count with their outlet."""
    catalogue = load_catalogue()
    return {
        key
        for key in catalogue
        if not (key.endswith(EDITIONS) and key.rpartition("-")[0] in catalogue)
    }


def test_at_least_ninety_outlets_and_the_five_that_were_asked_for() -> None:
    assert len(outlets()) >= 90
    assert set(load_catalogue()) >= NAMED


def test_core_is_a_desks_start_arabic_first_and_spread_over_the_three_countries() -> None:
    core = select(load_catalogue(), ["core"])
    assert 25 <= len(core) <= 40
    assert {source.id for source in core} >= NAMED
    assert sum(source.language == "ar" for source in core) >= 0.9 * len(core)
    for country in ("libya", "yemen", "syria"):
        assert sum(country in source.tags for source in core) >= 5, country
    assert sum("agency" in source.tags for source in core) >= 5


def test_every_address_is_of_the_web_stands_once_and_says_what_it_stands_on() -> None:
    feeds = [feed for source in load_catalogue().values() for feed in source.feeds]
    assert all(feed.url.startswith(("http://", "https://")) for feed in feeds)
    assert len({feed.url for feed in feeds}) == len(feeds)
    assert all(feed.evidence for feed in feeds)
    assert all(source.feeds for source in load_catalogue().values())


def test_every_source_has_a_name_in_both_scripts_unless_it_writes_none_in_arabic() -> None:
    for source in load_catalogue().values():
        assert any("\u0621" <= char <= "\u064a" for char in source.name), source.id
        assert source.name_latin.isascii() or "'" in source.name_latin, source.id
        assert source.country, source.id
        assert source.homepage, source.id


def test_names_are_ids_or_tags_in_the_catalogues_order_each_once() -> None:
    catalogue = {
        key: Source(key, key, tags=tags)
        for key, tags in {"a": ("libya",), "b": ("yemen",), "c": ("libya", "agency")}.items()
    }
    assert [source.id for source in select(catalogue, ["c", "libya"])] == ["a", "c"]
    assert [source.id for source in select(catalogue, ["all"])] == ["a", "b", "c"]
    assert select(catalogue, ["none"]) == []
    assert select(catalogue, []) == []


def test_unknown_names_are_told_all_at_once_with_what_may_be_meant() -> None:
    with pytest.raises(ConfigError) as raised:
        select(load_catalogue(), ["enab-balady", "libia", "q"])
    message = str(raised.value)
    assert "'enab-balady': did you mean enab-baladi" in message
    assert "'libia': did you mean libya" in message
    assert "'q': `rasid feeds list`" in message


def test_none_beside_others_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="stands alone"):
        select(load_catalogue(), ["none", "core"])


GOOD = """\
- id: one
  name: واحد
  name_latin: One
  language: ar
  country: LY
  homepage: https://one.example/
  feeds:
    - url: https://one.example/feed
      verified: never
      evidence: a note
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_source_is_read_as_written(tmp_path: Path) -> None:
    assert read_sources(written(tmp_path, GOOD)) == [
        Source(
            id="one",
            name="واحد",
            name_latin="One",
            country="LY",
            homepage="https://one.example/",
            feeds=(Feed("https://one.example/feed", evidence="a note"),),
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "about"),
    [
        ("country: LY", "country: Libya", 5, "0.country", "pattern"),
        ("  language: ar\n", "", 1, "0.language", "required"),
        ("name_latin: One", "name_latin: One\n  colour: red", 4, "0.colour", "not permitted"),
        ("https://one.example/feed", "file:///etc/passwd", 8, "0.feeds.0.url", "pattern"),
        ("verified: never", "verified: yesterday", 9, "0.feeds.0.verified", "pattern"),
        ("verified: never", "verified: true", 9, "0.feeds.0.verified", "string"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, key: str, about: str
) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        read_sources(path)
    message = str(raised.value)
    where, _, what = message.partition(": ")
    name, _, number = where.rpartition(":")
    assert name == str(path)
    if "colour" not in key:
        assert int(number) == line
    assert what.startswith(key + ": ")
    assert about in what


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("country: LY", "country: Libya") + GOOD.replace("id: one", "id: Two")
    with pytest.raises(ConfigError) as raised:
        read_sources(written(tmp_path, text))
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == ["0.country", "1.id"]


def test_an_id_or_address_that_stands_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read_sources(written(tmp_path, GOOD + GOOD))
    message = str(raised.value)
    assert ":11: 1.id: 'one' stands twice" in message
    assert "1.feeds.0.url: https://one.example/feed stands twice" in message


def test_what_is_no_yaml_or_no_list_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sources\.yaml:2: no YAML"):
        read_sources(written(tmp_path, "- id: one\n name: x\n"))
    with pytest.raises(ConfigError, match="a list of sources"):
        read_sources(written(tmp_path, "id: one\n"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_sources(tmp_path / "absent.yaml")


def test_the_bundled_file_is_read_by_the_same_rules() -> None:
    assert {source.id: source for source in read_sources(BUNDLED)} == load_catalogue()
