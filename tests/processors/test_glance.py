"""What tokens alone tell of rules: enough, and little more."""

from processors.arabic import NOUN
from processors.glance import Glance
from processors.lexicon import NORMALISERS, Lexicon, Term
from processors.text import sentences, words

TRUCE, BREACH, TOWN = 1, 2, 4


def lexicon_of(terms: dict[str, int]) -> Lexicon:
    lexicon = Lexicon(NORMALISERS["arabic"])
    for text, concept in terms.items():
        lexicon.add(Term(text, concept), NOUN)
    return lexicon


FORCE, COUNTRY, TROOPS = 8, 16, 32
TERMS = {
    "هدنة": TRUCE, "وقف ~1 إطلاق النار": TRUCE, "خرق": BREACH, "تعز": TOWN, "قوة": FORCE,
    "روسي": COUNTRY,
}  # fmt: skip
RULES = [(TRUCE, BREACH), (TRUCE | BREACH, TOWN), (TROOPS, TOWN)]
SEQUENCES = [(TROOPS, (FORCE, COUNTRY))]


def live(text: str) -> dict[int, int]:
    """Sentences by their place, and the rules that may match there."""
    lexicon = lexicon_of(TERMS)
    glance = Glance(RULES, SEQUENCES)
    lexicon.tells = glance.tells
    tokens = words(text)
    entries = list(map(lexicon.__getitem__, tokens))
    phrases = lexicon.phrases(tokens, entries, 0, len(tokens))
    every = sentences(tokens)
    return {every.index(of): rules for of, rules in glance.live(entries, phrases, every)}


def test_a_sentence_without_a_rules_needs_is_not_looked_at() -> None:
    assert live("اجتمع المجلس. ساد الهدوء بعد الهدنة. بحث خرقا للقانون.") == {}


def test_a_rule_is_told_where_all_its_needs_are() -> None:
    assert live("اجتمع المجلس. رصد المراقبون خرقا للهدنة. هدنة في تعز.") == {1: 1, 2: 2}
    assert live("خرق للهدنة في تعز.") == {0: 3}


def test_needs_in_two_sentences_are_not_one_sentences() -> None:
    assert live("بدأت الهدنة. رصد المراقبون خرقا.") == {}


def test_a_phrase_tells_where_all_its_words_are() -> None:
    assert live("خرق وقف «إطلاق النار».") == {0: 1}
    assert live("خرق وقف فوري لإطلاق النار.") == {0: 1}
    assert live("خرق وقف إطلاق الصواريخ.") == {}
    assert live("خرق وقف الحافلات.") == {}


def test_what_may_make_a_concept_tells_of_it() -> None:
    assert live("وصلت قوة روسية إلى تعز.") == {0: 4}
    assert live("وصلت قوة إلى تعز.") == {}


def test_a_word_of_several_concepts_is_found_once() -> None:
    lexicon = lexicon_of({"خرق": BREACH})
    lexicon.add(Term("خرق", TRUCE), NOUN)
    lexicon.add(Term("خرق", TOWN, codes=("YE",)), NOUN)
    tokens = ["الخرق"]
    hits = lexicon.find(tokens, [lexicon[token] for token in tokens], 0, 1)
    assert sorted((hit.mask, hit.codes) for hit in hits) == [
        (TRUCE | BREACH, ()), (TOWN, ("YE",)),
    ]  # fmt: skip
