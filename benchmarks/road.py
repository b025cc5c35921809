"""The whole road under load: `rasid run` on a news site on loopback, mail as receiver.

    uv run python benchmarks/road.py latency     seen → sent at 50 articles a second
    uv run python benchmarks/road.py memory      the process tree after 20,000 articles, and after

`--log kafka` runs it on a broker of its own.

Latency: `--rate` new articles a second, `--alerting` (a share) of which tell of a truce, for
`--seconds`; the time from an entry first seen to its mail taken by the server, read from the log,
in percentiles.
Memory: PSS (shared pages counted once) of the daemon and its pool, from /proc, each 5,000
articles until `--articles`; one in twenty of them alerts.
"""

import argparse
import asyncio
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from pathlib import Path

from aiohttp import web

from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.errors import LogError
from streams.records import Alert, Delivery, decode

_TOWNS = "سرت الجفرة مأرب تعز إدلب حلب مصراتة عدن الحديدة درعا طبرق أجدابيا الرقة البيضاء لحج"
_WORDS = (
    "المدينة السكان الطريق المستشفى المدرسة السوق الحكومة المجلس اللجنة التقرير البيان الاجتماع "
    "المشروع الخدمات المياه الكهرباء الوزارة المنطقة الأسبوع العام الجديد الماضي المقبل خلال بعد "
    "قبل منذ حول أكثر عدد نحو كما وقال وأضاف وأكد أن إلى من في على عن مع بين دون غير كل بعض"
)
TOWNS, WORDS = _TOWNS.split(), _WORDS.split()


class Site:
    """A site whose feed shows the articles published so far, the newest hundred."""

    def __init__(self, seed: int, alerting: float) -> None:
        self._rng = random.Random(seed)
        self._alerting = alerting
        self.articles: list[tuple[str, str, datetime]] = []

    def publish(self) -> None:
        rng, number = self._rng, len(self.articles)
        town = rng.choice(TOWNS)
        if rng.random() < self._alerting:
            title = f"المبعوث الأممي يدعو إلى وقف فوري لإطلاق النار في {town}"
            lead = f"دعا المبعوث الأممي طرفي القتال في {town} إلى وقف فوري لإطلاق النار."
        else:
            title = f"المجلس البلدي في {town} يناقش موازنة الخدمات"
            lead = f"ناقش المجلس البلدي في {town} موازنة الخدمات للعام المقبل."
        paragraphs = [" ".join(rng.choices(WORDS, k=60)) + "." for _ in range(7)]
        text = "".join(f"<p>{p}</p>" for p in [f"{lead} ({number})", *paragraphs])
        self.articles.append((title, text, datetime.now(UTC)))

    def app(self) -> web.Application:
        async def feed(request: web.Request) -> web.Response:
            first = max(0, len(self.articles) - 100)
            base = f"http://{request.host}"
            rows = "".join(
                f"<item><title>{escape(title)}</title><link>{base}/{first + i}</link>"
                f"<pubDate>{format_datetime(when)}</pubDate></item>"
                for i, (title, _, when) in enumerate(self.articles[first:])
            )
            xml = f"<rss version='2.0'><channel><title>x</title>{rows}</channel></rss>"
            return web.Response(body=xml.encode(), content_type="application/rss+xml")

        async def page(request: web.Request) -> web.Response:
            title, text, _ = self.articles[int(request.match_info["n"])]
            menu = "".join(f"<li><a href='/s/{i}'>قسم {i}</a></li>" for i in range(60))
            html = (
                f"<!doctype html><html lang=ar dir=rtl><head><meta charset=utf-8><title>{title}"
                f"</title></head><body><nav><ul>{menu}</ul></nav><article><h1>{title}</h1>{text}"
                f"</article><footer><ul>{menu}</ul></footer></body></html>"
            )
            return web.Response(text=html, content_type="text/html")

        app = web.Application()
        app.router.add_get("/feed.xml", feed)
        app.router.add_get(r"/{n:\d+}", page)
        return app


@contextmanager
def serving(sites: list[Site]) -> Iterator[list[int]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start(site: Site) -> int:
        runner = web.AppRunner(site.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    yield [asyncio.run_coroutine_threadsafe(start(site), loop).result(10) for site in sites]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@contextmanager
def daemon(
    url: str, folder: Path, ports: list[int], mail_port: int
) -> Iterator[subprocess.Popen[bytes]]:
    config = folder / "rasid.yaml"
    sources = "".join(
        f"  - {{id: s{i}, feeds: [{{url: 'http://127.0.0.1:{port}/feed.xml', interval: 1s}}]}}\n"
        for i, port in enumerate(ports)
    )
    config.write_text(
        f"log: {url}\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8]}\n"
        f"sources:\n{sources}"
        "receivers: [{name: editors, email: {from: a@example.org, to: [b@example.org], "
        f"smtp: 'smtp://127.0.0.1:{mail_port}', tls: none}}}}]\n"
        "serve: none\n"
    )
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rasid", "run", "--config", str(config), "--log-level", "error"],
            stderr=log,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def counts(url: str) -> dict[str, int]:
    try:
        with closing(open_log(url, clock=now)) as log:
            return {info.name: info.records for info in log.topics()}
    except LogError:
        return {}


def delays(url: str) -> list[float]:
    """Seconds from seen to sent, of all that were sent."""
    with closing(open_log(url, clock=now)) as log:
        rows = [decode(Delivery, m.value) for m in log.read(records.DELIVERIES)]
    return sorted((d.updated - d.alert.seen).total_seconds() for d in rows if d.status == "sent")


def hops(url: str) -> dict[str, list[float]]:
    """Where the time of what was sent went, by the log's own times."""
    with closing(open_log(url, clock=now)) as log:
        articles = {m.key: m.time for m in log.read(records.ARTICLES)}
        reports = {m.key: m.time for m in log.read(records.FLAGS)}
        alerts = {decode(Alert, m.value).id: m.time for m in log.read(records.ALERTS)}
        rows = [decode(Delivery, m.value) for m in log.read(records.DELIVERIES)]
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.status == "sent":
            article = row.alert.article_id
            times = (
                row.alert.seen, articles[article], reports[article], alerts[row.alert.id],
                row.updated,
            )  # fmt: skip
            names = ("seen → article", "→ report", "→ alert", "→ sent")
            for name, before, after in zip(names, times, times[1:], strict=False):
                found.setdefault(name, []).append((after - before).total_seconds())
    return found


def drained(url: str, articles: int) -> bool:
    """Whether so many articles came all the way."""
    with closing(open_log(url, clock=now)) as log:
        rows = [decode(Delivery, m.value) for m in log.read(records.DELIVERIES)]
        return (
            sum(1 for _ in log.read(records.ARTICLES)) >= articles
            and not any(any(lag.values()) for lag in log.lag().values())
            and not any(d.status == "pending" for d in rows)
        )


def tree_pss_mb(pid: int) -> float:
    """PSS of a process and all below it, in MB; 0 for one that has just ended."""
    total, pending = 0.0, [pid]
    while pending:
        current = pending.pop()
        try:
            for line in Path(f"/proc/{current}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
            for task in Path(f"/proc/{current}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


@contextmanager
def carried(carrier: str) -> Iterator[tuple[str, Path]]:
    """A fresh log's address, and a folder."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite://{folder}/rasid.db"
        if carrier == "kafka":
            url = stack.enter_context(Brokers(folder / "kafka")).url
        yield url, folder


def latency(carrier: str, rate: float, seconds: float, alerting: float) -> None:
    sites = [Site(seed, alerting) for seed in range(5)]
    with carried(carrier) as (url, folder), serving(sites) as ports:
        mail = mail_server(folder / "mail")
        with daemon(url, folder, ports, mail.port):
            while not counts(url):
                time.sleep(0.1)
            start = time.monotonic()
            published = 0
            while (elapsed := time.monotonic() - start) < seconds:
                while published < elapsed * rate:
                    sites[published % len(sites)].publish()
                    published += 1
                time.sleep(0.01)
            end = time.monotonic() + 60
            while time.monotonic() < end and not drained(url, published):
                time.sleep(0.5)
        mail.stop()
        found = delays(url)
        told = hops(url)
        articles = counts(url).get(records.ARTICLES, 0)
    cuts = statistics.quantiles(found, n=100)
    print(f"published {published} at {rate:g}/s, articles {articles}, alerts sent {len(found)}")
    print("| seen → sent | seconds |\n|---|---|")
    for label, value in (
        ("p50", cuts[49]),
        ("p95", cuts[94]),
        ("p99", cuts[98]),
        ("max", found[-1]),
    ):
        print(f"| {label} | {value:.2f} |")

    print("| of which, p95 | seconds |\n|---|---|")
    for label, seconds_ in told.items():
        print(f"| {label} | {statistics.quantiles(seconds_, n=100)[94]:.2f} |")


def memory(carrier: str, articles: int) -> None:
    sites = [Site(seed, alerting=0.05) for seed in range(10)]
    with carried(carrier) as (url, folder), serving(sites) as ports:
        mail = mail_server(folder / "mail")
        with daemon(url, folder, ports, mail.port) as process:
            print("| articles | PSS of the tree, MB | articles/s |\n|---|---|---|")
            goal, published, start, last = 5000, 0, time.monotonic(), 0
            while last < articles:
                have = counts(url).get(records.ARTICLES, 0)
                while published < have + 600:  # as fast as they are taken, feeds show 100 each
                    sites[published % len(sites)].publish()
                    published += 1
                if have >= goal:
                    took = time.monotonic() - start
                    print(f"| {have} | {tree_pss_mb(process.pid):.0f} | {have / took:.0f} |")
                    sys.stdout.flush()
                    goal += 5000
                last = have
                time.sleep(0.25)
        mail.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["latency", "memory"])
    parser.add_argument("--log", choices=["sqlite", "kafka"], default="sqlite")
    parser.add_argument("--alerting", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--articles", type=int, default=30000)
    arguments = parser.parse_args()
    if arguments.what == "latency":
        latency(arguments.log, arguments.rate, arguments.seconds, arguments.alerting)
    else:
        memory(arguments.log, arguments.articles)
