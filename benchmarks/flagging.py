"""How fast flagging is, beside bare tokenising of the same texts in the same run.

    uv run python benchmarks/flagging.py [CORPUS.jsonl[.gz]] [--articles N]

Bare tokenising is one regex pass over the text and one dictionary look-up a token. Texts
are cut or joined to 4 KB of UTF-8. Without a corpus, articles are made of the rules' own
examples and of filler, one in four on a theme.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from processors.flagger import Document, load_flagger  # noqa: E402
from processors.lexicon import NORMALISERS, Lexicon, Term  # noqa: E402
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
    """Texts a second, the best of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        for text in texts:
            work(text)
        times.append(time.perf_counter() - began)
    return len(texts) / min(times)


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

    began = time.perf_counter()
    flagger = load_flagger()
    loading = time.perf_counter() - began

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

    began = time.perf_counter()
    for text in texts:
        flag(text)
    cold = len(texts) / (time.perf_counter() - began)
    bare_rate, bare_all, warm = rate(bare, texts), rate(bare_findall, texts), rate(flag, texts)
    flagged = sum(bool(flagger.flag(Document("", text, "ar"))) for text in texts)
    tokens = statistics.mean(len(TOKEN.findall(text)) for text in texts)

    print(
        f"texts                      {len(texts)} of 4 KB, {tokens:.0f} tokens; {flagged} flagged"
    )
    print(f"loading, examples run      {loading:.2f} s, {flagger.books['ar'].lexicon.terms} terms")
    print(f"bare tokenising            {bare_rate:9.0f} /s   (our classes: {bare_all:.0f} /s)")
    print(f"flagging, caches cold      {cold:9.0f} /s   {cold / bare_rate:6.1%}")
    print(f"flagging, all rules        {warm:9.0f} /s   {warm / bare_rate:6.1%}   reach: 35 %")
    for count in (100, 10_000):
        lexicon = lexicon_of(count)
        speed = rate(lambda text, lexicon=lexicon: find_all(lexicon, text), texts[:400])
        print(f"matching {count:6d} terms      {speed:9.0f} /s")
    tracemalloc.start()
    held = load_flagger(check_examples=False)
    print(f"memory of the rules        {tracemalloc.get_traced_memory()[0] / 1e6:9.1f} MB")
    del held


def lexicon_of(count: int) -> Lexicon:
    """A lexicon of made-up phrases beside a hundred real words."""
    rng = random.Random(count)
    letters = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
    lexicon = Lexicon(NORMALISERS["arabic"])
    real = FILLER.split()
    for i in range(count):
        word = real[i % len(real)] if i < 30 else "".join(rng.choices(letters, k=6))
        lexicon.add(Term(word, 1), 1)
    return lexicon


def find_all(lexicon: Lexicon, text: str) -> int:
    tokens = TOKEN.findall(text)
    entries = list(map(lexicon.__getitem__, tokens))
    return len(lexicon.find(tokens, entries, 0, len(tokens)))


if __name__ == "__main__":
    main()
