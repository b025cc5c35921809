"""Ordinary news has no flag: a rule that fires on it would bury its readers."""

from pathlib import Path

import pytest

from processors.flagger import Document, load_flagger

HERE = Path(__file__).parent


@pytest.mark.parametrize(("language", "items"), [("ar", 110), ("en", 40), ("fr", 20)])
def test_no_rule_fires_on_ordinary_news(language: str, items: int) -> None:
    flagger = load_flagger(check_examples=False)
    text = (HERE / "ordinary" / f"{language}.txt").read_text(encoding="utf-8")
    articles = [item.partition("\n") for item in text.strip().split("\n\n")]
    assert len(articles) >= items
    fired = {
        title: [flag.rule for flag in flags]
        for title, _, body in articles
        if (flags := flagger.flag(Document(title, body, language)))
    }
    assert fired == {}
