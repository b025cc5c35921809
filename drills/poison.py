"""A poisoned article in every batch: the rest must come through at 90 % of the speed without.

    uv run python -m drills.poison 2>/dev/null [--log kafka] [--articles 3000] [--rounds 5]

Articles lie in the log already; the process stage flags them, once as they are and once with one
in each hundred that is no article at all, in turns. Each of those must end in the dead letters, and
each other as it does without. Exit code 1 when that or the speed does not hold.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from drills.world import item
from processors.flagger import Flagger, load_flagger
from processors.processor import Processor
from rasid import logs
from rasid.app import now
from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.log import Log, Transaction
from streams.metrics import StageMetrics
from streams.records import ARTICLES, BACKFILL, DEADLETTERS, FLAGS, Article, encode

BATCH: Final = 100
GOAL: Final = 0.9
POISON: Final = b'{"v": 1, "id": "poisoned", "title": 7}'
FILL: Final = "وقال سكان في المدينة إن الأسواق فتحت أبوابها صباح اليوم كالمعتاد. " * 40


@dataclass(frozen=True)
class Round:
    articles: int  # that are some
    seconds: float
    cpu_s: float  # of the stage's process: what other work a machine does is not in it
    reports: int
    letters: int


def run(url: str, flagger: Flagger, articles: int, *, poisoned: bool) -> Round:
    """Flag what a fresh log at `url` is loaded with."""
    with closing(open_log(url, clock=now, instance="poison")) as log:
        good = _load(log, articles, poisoned)
        stage = log.stage("process", reads=(ARTICLES, BACKFILL))
        processor = Processor(
            stage,
            lambda: flagger,
            clock=now,
            registry=CollectorRegistry(),
            metrics=StageMetrics(CollectorRegistry()),
        )
        processor.load()
        assert stage.acquire(30)
        began, cpu = time.perf_counter(), time.process_time()
        done = 0
        while done < articles:
            done += processor.step(1.0)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        stage.close()
        letters = sum(1 for _ in log.read(DEADLETTERS))
        return Round(good, seconds, cpu_s, sum(1 for _ in log.read(FLAGS)), letters)


def _load(log: Log, articles: int, poisoned: bool) -> int:
    stage = log.stage("collect")
    assert stage.acquire(30)
    for at in range(0, articles, BATCH):
        tx = Transaction()
        for number in range(at, at + BATCH):
            is_poison = poisoned and number % BATCH == BATCH // 2
            tx.append(ARTICLES, f"{number}", POISON if is_poison else _article(number))
        stage.commit(tx)
    stage.close()
    return articles - articles // BATCH if poisoned else articles


def _article(number: int) -> bytes:
    made = item(number, now())
    return encode(
        Article(
            id=f"{number}", url=f"https://news.example/{number}", source="news",
            linked_url=f"https://news.example/{number}", source_name="صحيفة التجربة",
            feed="https://news.example/feed", title=made.title, text=made.text + "\n" + FILL,
            language="ar", seen=made.published, fetched=made.published, text_hash=f"{number}",
        )
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--articles", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    logs.set_up("error")  # each dead letter is told, as the daemon does
    flagger = load_flagger()
    ratios: list[tuple[float, float]] = []
    kept = True
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        base = f"sqlite://{name}/"
        if wanted.log == "kafka":
            base = stack.enter_context(Brokers(Path(name) / "kafka")).url + "/"
        for number in range(wanted.rounds):
            clean = run(f"{base}clean-{number}", flagger, wanted.articles, poisoned=False)
            poisoned = run(f"{base}poisoned-{number}", flagger, wanted.articles, poisoned=True)
            per_s = [each.articles / each.seconds for each in (clean, poisoned)]
            per_cpu_s = [each.articles / each.cpu_s for each in (clean, poisoned)]
            ratios.append((per_s[1] / per_s[0], per_cpu_s[1] / per_cpu_s[0]))
            print("without {:,.0f} articles a second, with {:,.0f}".format(*per_s), end="; ")
            print("a second of CPU {:,.0f} and {:,.0f}".format(*per_cpu_s), flush=True)
            kept = (
                kept and clean.reports == clean.articles and poisoned.reports == poisoned.articles
            )
            kept = kept and poisoned.letters == wanted.articles // BATCH
    ratio, by_cpu = (statistics.median(each) for each in zip(*ratios, strict=True))
    print(f"{ratio:.0%} of the speed without (median of {len(ratios)}); goal {GOAL:.0%}", end="; ")
    print(f"{by_cpu:.0%} by CPU time")
    print("every article and every letter is there" if kept else "ARTICLES OR LETTERS ARE MISSING")
    return 0 if kept and ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
