"""How fast flagging is, beside bare tokenising of the same texts in the same run.

    uv run python benchmarks/flagging.py [CORPUS.jsonl[.gz]] [--articles N]
    uv run --with spacy python benchmarks/flagging.py …      also beside spaCy's PhraseMatcher

Bare tokenising is one regex pass over the text and one dictionary look-up a token. Texts
are cut or joined to 4 KB of UTF-8. Without a corpus, articles are made of the rules' own
examples and of filler, one in four on a theme. Sketches (near-duplicates) are measured on
the same texts; so is how time grows with length.
"""

import argparse
import gzip
import json
import random
import re
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from processors.arabic import NOUN  # noqa: E402
from processors.flagger import Document, load_flagger  # noqa: E402
from processors.lexicon import NORMALISERS, Lexicon, Term  # noqa: E402
from processors.sketch import sketch  # noqa: E402
from processors.text import TOKEN  # noqa: E402

BYTES = 4096
FILLER = (
    "وقال الوزير في كلمة له خلال افتتاح المعرض إن المشروع الجديد سيوفر فرص عمل للشباب في المدينة "
    "ويسهم في تحسين الخدمات الصحية والتعليمية التي تقدمها البلدية للمواطنين بحلول نهاية العام. "
)


def texts_of(path: Path, limit: int) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        raw = [json.loads(line)["text"] for line in lines]
    return _sized(raw)[:limit]


def made_texts(limit: int) -> list[str]:
    flagger = load_flagger(check_examples=False)
    rng = random.Random(7)
    examples = [str(text) for _, text in ((r, t) for r, t, _, _ in flagger.examples())]
    made = []
    for i in range(limit):
        text = " ".join(rng.sample(examples, 3)) + " " if i % 4 == 0 else ""
        while len(text.encode()) < BYTES:
            text += FILLER
        made.append(text)
    return _sized(made)


def _sized(raw: list[str]) -> list[str]:
    """Texts of about 4 KB: long ones cut, short ones joined to the next."""
    sized, held = [], ""
    for text in raw:
        held = f"{held}\n{text}" if held else text
        data = held.encode("utf-8", "replace")
        if len(data) >= BYTES:
            sized.append(data[:BYTES].decode("utf-8", "ignore"))
            held = ""
    return sized


def rate(work, texts: list[str], rounds: int = 3) -> float:
    """Texts a second of this thread's own time, the best of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        for text in texts:
            work(text)
        times.append(time.thread_time() - began)
    return len(texts) / min(times)


def rates(works, texts: list[str], rounds: int = 12, few: int = 5) -> list[float]:
    """Texts a second of each of some works, done in turn on a few texts at a time, the best of
    some rounds for these: what else the machine does then falls on all alike."""
    parts = [texts[first : first + few] for first in range(0, len(texts), few)]
    best = [[float("inf")] * len(parts) for _ in works]
    for _ in range(rounds):
        for at, part in enumerate(parts):
            for work, times in zip(works, best, strict=True):
                began = time.thread_time()
                for text in part:
                    work(text)
                times[at] = min(times[at], time.thread_time() - began)
    return [len(texts) / sum(times) for times in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--articles", type=int, default=1500)
    options = parser.parse_args()
    texts = (
        texts_of(options.corpus, options.articles)
        if options.corpus
        else made_texts(options.articles)
    )

    began = time.thread_time()
    flagger = load_flagger()
    loading = time.thread_time() - began

    plain = re.compile(r"[^\W_]+")
    known = {token: 1 for text in texts for token in plain.findall(text)}

    def bare(text: str) -> None:
        get = known.get
        for match in plain.finditer(text):
            get(match.group())

    def bare_findall(text: str) -> None:
        get = known.get
        for token in TOKEN.findall(text):
            get(token)

    def flag(text: str) -> None:
        flagger.flag(Document("", text, "ar"))

    began = time.thread_time()
    for text in texts:
        flag(text)
    cold = len(texts) / (time.thread_time() - began)
    bare_rate, bare_all, warm = rates((bare, bare_findall, flag), texts)
    flagged = sum(bool(flagger.flag(Document("", text, "ar"))) for text in texts)
    tokens = statistics.mean(len(TOKEN.findall(text)) for text in texts)

    print(
        f"texts                      {len(texts)} of 4 KB, {tokens:.0f} tokens; {flagged} flagged"
    )
    held_terms = flagger.books["ar"].lexicon.size
    print(f"loading, examples run      {loading:.2f} s, {held_terms} terms")
    print(f"bare tokenising            {bare_rate:9.0f} /s   (our classes: {bare_all:.0f} /s)")
    print(f"flagging, caches cold      {cold:9.0f} /s   {cold / bare_rate:6.1%}")
    print(f"flagging, all rules        {warm:9.0f} /s   {warm / bare_rate:6.1%}   reach: 35 %")
    few = 0.0
    for count in (100, 10_000):
        terms = terms_of(count)
        works = [matching(terms)]
        names = [f"matching {count:6d} terms"]
        for name, matcher in spacy_matchers(terms):
            names.append(name)
            works.append(matcher)
        ours, *others = rates(works, texts[:200], rounds=6)
        few = few or ours
        against = f"{ours / few:6.1%} of the rate at 100" if count > 100 else ""
        print(f"{names[0]:26} {ours:9.0f} /s   {against}")
        for name, speed in zip(names[1:], others, strict=True):
            print(f"  {name:24} {speed:9.0f} /s   ours {ours / speed:.1f} times")
    print(f"sketches                   {rate(sketch, texts):9.0f} /s   reach: 5000")
    for size in (50_000, 500_000, 5_000_000):
        long = (" ".join(texts) * 10)[:size]
        began = time.thread_time()
        flagger.flag(Document("", long, "ar"))
        took = time.thread_time() - began
        print(f"one text of {size:9,d} letters   {took / size * 1e6:6.2f} s a million letters")
    tracemalloc.start()
    held = load_flagger(check_examples=False)
    print(f"memory of the rules        {tracemalloc.get_traced_memory()[0] / 1e6:9.1f} MB")
    del held


def terms_of(count: int) -> list[str]:
    """Made-up words beside thirty real ones."""
    rng = random.Random(count)
    letters = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
    real = FILLER.split()[:30]
    return [real[i] if i < 30 else "".join(rng.choices(letters, k=6)) for i in range(count)]


def matching(terms: list[str]) -> Callable[[str], int]:
    """Tokenising, folding and finding these terms in any of their forms."""
    lexicon = Lexicon(NORMALISERS["arabic"])
    for term in terms:
        lexicon.add(Term(term, 1), NOUN)

    def find(text: str) -> int:
        tokens = TOKEN.findall(text)
        entries = list(map(lexicon.__getitem__, tokens))
        return len(lexicon.find(tokens, entries, 0, len(tokens)))

    return find


# What is written onto a noun, before it and after it.
BEFORE = [a + b for a in ("", "و", "ف") for b in ("", "ب", "ك", "ل", "ال", "بال", "كال", "لل")]
AFTER = (
    "", "ه", "ها", "هم", "هما", "هن", "ك", "كم", "نا", "ي", "ان", "ين", "ون", "ات", "ة", "تان",
    "تين", "ته", "تها", "تهم", "اته", "اتها", "اتهم",
)  # fmt: skip


def spacy_matchers(terms: list[str]) -> Iterator[tuple[str, Callable[[str], int]]]:
    """spaCy's PhraseMatcher, tokenising included as it is in ours: with the terms as they are,
    and, of few, with every form listed, as it needs them for the same task. None where spaCy is
    not installed."""
    try:
        import spacy
        from spacy.matcher import PhraseMatcher
    except ImportError:
        return

    def matcher_of(listed: list[str]) -> Callable[[str], int]:
        nlp = spacy.blank("ar")
        matcher = PhraseMatcher(nlp.vocab)
        matcher.add("terms", [nlp.make_doc(form) for form in listed])
        return lambda text: len(matcher(nlp.make_doc(text)))

    yield "spaCy's PhraseMatcher", matcher_of(terms)
    if len(terms) <= 100:
        forms = [before + term + after for term in terms for before in BEFORE for after in AFTER]
        yield f"  with {len(forms)} forms", matcher_of(forms)


if __name__ == "__main__":
    main()
