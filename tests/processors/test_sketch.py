"""Copies are found though cut or edited; reports of one war are told apart."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from processors.sketch import containment, sketch

DIVIDE = 0.4
WORDS = [
    "الحكومة", "قوات", "المدينة", "هجوم", "مسؤول", "قال", "أمس", "جنوب", "شمال", "اتفاق", "الأمم",
    "المتحدة", "سكان", "طريق", "ميناء", "حقل", "نفط", "غارة", "قتلى", "جرحى", "مصدر", "عسكري",
    "بيان", "وزارة", "الدفاع", "الخارجية", "رئيس", "مجلس", "لجنة", "وفد", "محادثات", "جولة",
]  # fmt: skip


def article(seed: int, length: int = 320) -> list[str]:
    """Words of one field, in an order of their own, as two reports of a war share them."""
    random.seed(seed)
    return [random.choice(WORDS) + random.choice(["", "", "ها", "ين"]) for _ in range(length)]


def test_a_copy_cut_to_a_quarter_is_found() -> None:
    for seed in range(50):
        words = article(seed)
        cut = words[40:120]
        assert containment(sketch(" ".join(words)), sketch(" ".join(cut))) >= 0.9


def test_a_copy_with_a_tenth_of_its_words_changed_is_found() -> None:
    for seed in range(50):
        words = article(seed)
        edited = [w if random.random() > 0.1 else f"كلمة{random.random()}" for w in words]
        assert containment(sketch(" ".join(words)), sketch(" ".join(edited))) > DIVIDE


def test_two_reports_of_one_war_are_not_copies() -> None:
    for seed in range(50):
        one, other = sketch(" ".join(article(seed))), sketch(" ".join(article(1000 + seed)))
        assert containment(one, other) < DIVIDE / 2


def test_marks_and_spelling_make_no_difference() -> None:
    plain = "أعلنت الحكومة في بيان أن القوات انسحبت من المدينة بعد اتفاق على الهدنة مع الجماعة " * 2
    marked = plain.replace("الهدنة", "الهُدنـــة").replace("أعلنت", "اعلنت")
    assert sketch(plain) == sketch(marked)


def test_long_texts_keep_a_bounded_sketch_that_still_holds_their_parts() -> None:
    words = [f"كلمة{i}" for i in range(20_000)]
    whole, part = sketch(" ".join(words)), sketch(" ".join(words[5000:15_000]))
    assert len(whole) == 256
    assert containment(whole, part) == 1.0


def test_an_empty_text_repeats_nothing() -> None:
    assert sketch("") == ()
    assert containment((), sketch("واحد اثنان ثلاثة أربعة خمسة ستة سبعة")) == 0.0


@given(st.text(max_size=400))
def test_any_text_contains_itself(text: str) -> None:
    made = sketch(text)
    assert all(0 <= value < 2**53 for value in made)
    assert containment(made, made) == (1.0 if made else 0.0)


def test_five_thousand_articles_a_second() -> None:
    text = " ".join(article(1, 350))
    sketch(text)
    began = time.thread_time()
    for _ in range(200):
        sketch(text)
    assert 200 / (time.thread_time() - began) > 2000  # 5,000 on an idle core; CI is shared
