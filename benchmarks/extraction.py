"""Extraction through the pool against bare trafilatura, on the same two cores, in one run.

    uv run python benchmarks/extraction.py [--seconds 20]

Both sides get the same generated article pages of 20 to 60 KB and two processes. Ours is
what a collector does to a page: into the pool and back, decoding, trafilatura's text, title,
date, address, language and authors by `collectors.pagemeta`, boilerplate. Bare is
`trafilatura.bare_extraction(fast, with_metadata, deduplicate=False)` over `multiprocessing`'s
pool, and, for comparison, the same without its metadata. Rounds alternate, so that a busy
machine is busy for all.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.pool import Pool as ProcessPool

from rich.console import Console
from rich.table import Table

from collectors.extract import extract_page
from collectors.pool import Pool

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROCESSES = 2
# What stands between the bars are alternatives.
SENTENCE = (
    "مجلس المدينة|الناطق باسم القوات|مدير الحقل|المبعوث الأممي|وزير الداخلية|لجنة التفاوض",
    "أعلن|أكد|نفى|أوضح أمس|قال في بيان|رجح",
    "أن الهدنة في المنطقة ما زالت قائمة رغم الخروقات|استئناف الإنتاج في الحقل بعد توقف أسبوع"
    "|انسحاب القوات من محيط الميناء خلال أيام|أن المفاوضات ستعقد جولة جديدة الشهر المقبل"
    "|وصول مساعدات إلى السكان عبر الطريق الساحلي|أن التحقيق في الحادث مستمر",
    "بحسب مصدر مطلع طلب عدم ذكر اسمه|في مؤتمر صحفي عقده في العاصمة|وسط ترقب من سكان المنطقة"
    "|من دون أن يذكر تفاصيل إضافية|بعد اتصالات أجرتها الأطراف خلال اليومين الماضيين",
)


def sentence(dice: random.Random) -> str:
    return " ".join(dice.choice(words.split("|")) for words in SENTENCE) + "."


def page(seed: int) -> bytes:
    """A page as a common newsroom theme builds it: menus, styles, scripts, cards, comments."""
    dice = random.Random(seed)
    title = " ".join(dice.choice(words.split("|")) for words in SENTENCE[:3])
    paragraphs = [
        "<p>" + " ".join(sentence(dice) for _ in range(dice.randint(2, 4))) + "</p>"
        for _ in range(dice.randint(8, 16))
    ]
    paragraphs.insert(
        4, f'<p><strong>اقرأ أيضاً: <a href="/n/1">{sentence(dice)[:60]}</a></strong></p>'
    )
    menu = "".join(
        f'<li class="menu-item menu-item-{n}"><a href="/section/{n}">قسم {n}</a></li>'
        for n in range(30)
    )
    cards = "".join(
        f'<div class="card post-{n}"><a href="/news/{n}"><img class="lazy" data-src="/i/{n}.jpg"'
        f' alt=""><h3>{sentence(dice)[:70]}</h3></a><span class="date">منذ {n} ساعات</span></div>'
        for n in range(dice.randint(10, 40))
    )
    style = "".join(f".c{n}{{margin:0;padding:{n}px;color:#123456}}" for n in range(150))
    script = "".join(f"window.q{n}=window.q{n}||[];" for n in range(dice.randint(100, 500)))
    article = {
        "@type": "NewsArticle",
        "headline": title,
        "datePublished": "2026-11-20T10:00:00+03:00",
        "author": {"@type": "Person", "name": "سعاد علي"},
    }
    linked = json.dumps({"@context": "https://schema.org", "@graph": [article]})
    return f"""<!DOCTYPE html><html dir="rtl" lang="ar"><head><meta charset="utf-8">
<title>{title} | صحيفة الميناء</title><meta property="og:title" content="{title}">
<meta property="og:site_name" content="صحيفة الميناء"><meta name="description" content="{title}">
<meta property="article:published_time" content="2026-11-20T10:00:00+03:00">
<link rel="canonical" href="https://www.example.com/news/{seed}"><style>{style}</style>
<script type="application/ld+json">{linked}</script></head><body><header><nav><ul>{menu}</ul></nav>
</header><div class="container"><main><article class="post"><h1 class="entry-title">{title}</h1>
<div class="post-meta"><span class="author">سعاد علي</span>
<time datetime="2026-11-20T10:00:00+03:00">20 نوفمبر 2026</time></div>
<div class="entry-content">{"".join(paragraphs)}<p>شاركنا ..</p></div>
<div class="tags"><a href="/t/1" rel="tag">الهدنة</a></div></article><section class="related">
<h2>مقالات ذات صلة</h2>{cards}</section><div id="respond"><h3>اترك تعليقاً</h3><form><p>لن يتم نشر
عنوان بريدك الإلكتروني.</p><textarea></textarea></form></div></main><aside>{cards}</aside></div>
<footer><ul>{menu}</ul><p>جميع الحقوق محفوظة</p></footer><script>{script}</script></body></html>
""".encode()


def bare(body: bytes, with_metadata: bool = True) -> int:
    from trafilatura.core import bare_extraction

    document = bare_extraction(
        body,
        url="https://www.example.com/news/1",
        fast=True,
        include_comments=False,
        deduplicate=False,
        with_metadata=with_metadata,
    )
    return len(document.text)


def bare_text(body: bytes) -> int:
    return bare(body, with_metadata=False)


async def ours(pool: Pool, pages: list[bytes]) -> None:
    await asyncio.gather(
        *(
            pool.run(
                extract_page,
                body,
                url="https://www.example.com/news/1",
                content_type="text/html",
                now=NOW,
                timeout_s=30,
            )
            for body in pages
        )
    )


def rounds(
    pages: list[bytes], seconds: float, pool: Pool, processes: ProcessPool
) -> dict[str, list[float]]:
    """Pages a second of each side, round by round."""

    def run_ours() -> None:
        asyncio.run(ours(pool, pages))

    def run_bare(function: Callable[[bytes], int]) -> Callable[[], None]:
        return lambda: sum(processes.imap_unordered(function, pages)) and None

    sides: dict[str, Callable[[], None]] = {
        "Rasid": run_ours,
        "trafilatura": run_bare(bare),
        "trafilatura, text only": run_bare(bare_text),
    }
    for side in sides.values():
        side()  # processes started, modules imported
    rates: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, side in sides.items():
            began = time.perf_counter()
            side()
            rates[name].append(len(pages) / (time.perf_counter() - began))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pages", type=int, default=100)
    options = parser.parse_args()
    pages = [page(seed) for seed in range(options.pages)]
    pool = Pool(PROCESSES)
    context = multiprocessing.get_context("spawn")
    try:
        with context.Pool(PROCESSES) as processes:
            rates = rounds(pages, options.seconds, pool, processes)
    finally:
        pool.close()
    sizes = [len(body) / 1024 for body in pages]
    table = Table(
        title=f"Extraction, {PROCESSES} processes, pages of {min(sizes):.0f}-{max(sizes):.0f} KB"
        f" (mean {statistics.mean(sizes):.0f}), {len(rates['Rasid'])} rounds of {len(pages)}"
    )
    for heading in ("", "pages/s (median)", "Rasid is at"):
        table.add_column(heading, justify="left" if not heading else "right")
    base = statistics.median(rates["Rasid"])
    for name, values in rates.items():
        ratio = statistics.median(a / b for a, b in zip(rates["Rasid"], values, strict=True))
        table.add_row(name, f"{statistics.median(values):.0f}", f"{ratio:.0%}" if values else "")
    Console().print(table)
    print(f"goal: at least 90% of bare trafilatura; Rasid {base:.0f} pages/s")


if __name__ == "__main__":
    main()
