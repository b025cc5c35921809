"""The whole road under load: `rasid run` on a news site on loopback, mail as receiver.

    uv run python benchmarks/road.py latency     seen → sent at 50 articles a second
    uv run python benchmarks/road.py memory      the process tree after 20,000 articles, and after
    uv run python benchmarks/road.py stages      process and alert over 200,000 short articles
    uv run python benchmarks/road.py scale       two instances on Kafka against one

`--log kafka` runs it on a broker of its own.

Latency: `--rate` new articles a second, `--alerting` (a share) of which tell of a truce, for
`--seconds`; the time from an entry first seen to its mail taken by the server, read from the log,
in percentiles.
Memory: PSS (shared pages counted once) of the daemon and its pool, from /proc, each 5,000
articles until `--articles`; one in twenty of them alerts.
Stages: the same of `rasid process` and `rasid alert` alone, each 20,000 articles of some 600
characters, which are put into the log as a collector does.
Scale: `--rounds` times in turns, one instance on one core and two on a core each, every one with a
pool of one, are given a backlog of `--articles` at once, on sites that lie evenly in the
partitions; the time until all are flagged, and the CPU seconds of the instances, extraction
included. Goals: 1.6 times as fast, at 1.15 times the CPU seconds an article. Broker and sites run
on the same cores.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from pathlib import Path

from aiohttp import web

from rasid.app import now
from rasid.demo.broker import Brokers, free_ports
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.errors import LogError
from streams.kafka_records import partition_of
from streams.log import Log, Transaction
from streams.records import Alert, Article, Delivery, decode, encode

_TOWNS = "سرت الجفرة مأرب تعز إدلب حلب مصراتة عدن الحديدة درعا طبرق أجدابيا الرقة البيضاء لحج"
_WORDS = (
    "المدينة السكان الطريق المستشفى المدرسة السوق الحكومة المجلس اللجنة التقرير البيان الاجتماع "
    "المشروع الخدمات المياه الكهرباء الوزارة المنطقة الأسبوع العام الجديد الماضي المقبل خلال بعد "
    "قبل منذ حول أكثر عدد نحو كما وقال وأضاف وأكد أن إلى من في على عن مع بين دون غير كل بعض"
)
BATCH, STEP, AHEAD = 500, 20_000, 5_000
PARTITIONS = 12
SITES = 48
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
def serving(sites: list[Site], wanted: Sequence[int] = ()) -> Iterator[list[int]]:
    """Their ports: of `wanted` where it names any."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start(site: Site, port: int) -> int:
        runner = web.AppRunner(site.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return int(runner.addresses[0][1])

    yield [
        asyncio.run_coroutine_threadsafe(start(site, port), loop).result(10)
        for site, port in zip(sites, wanted or [0] * len(sites), strict=True)
    ]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@contextmanager
def daemon(
    url: str,
    folder: Path,
    ports: list[int],
    mail_port: int,
    core: int | None = None,
    command: str = "run",
) -> Iterator[subprocess.Popen[bytes]]:
    """`rasid run`, or one stage; with a pool of one and a name of its own where it is to have one
    core."""
    name = command if core is None else f"{command}-{core}"
    interval_s = 1 if core is None else 10  # a backlog is there at once; polls are not the matter
    config = folder / f"{name}.yaml"
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    pool = "" if core is None else "processes: 1, "
    sources = "".join(
        f"  - {{id: s{i}, feeds: [{{url: 'http://127.0.0.1:{port}/feed.xml', "
        f"interval: {interval_s}s}}]}}\n"
        for i, port in enumerate(ports)
    )
    config.write_text(
        f"log: {url}\ninstance: {name}\n"
        f"collect: {{{pool}site_delay: 0s, allow_networks: [127.0.0.0/8]}}\n"
        f"sources:\n{sources}"
        "receivers: [{name: editors, email: {from: a@example.org, to: [b@example.org], "
        f"smtp: 'smtp://127.0.0.1:{mail_port}', tls: none}}}}]\n"
        "serve: none\n"
    )
    line = [sys.executable, "-m", "rasid", command, "--config", str(config)]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([*pinned, *line, "--log-level", "error"], stderr=log)
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


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and all below it, those that have ended too."""
    total, pending = 0, [pid]
    while pending:
        current = pending.pop()
        try:
            stat = Path(f"/proc/{current}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, stat[11:15]))  # utime, stime, and those of ended children
            for task in Path(f"/proc/{current}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


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


def stages(carrier: str, articles: int) -> None:
    site = Site(1, alerting=0.05)
    with carried(carrier) as (url, folder), ExitStack() as stack:
        mail = mail_server(folder / "mail")
        stack.callback(mail.stop)
        trees = [
            stack.enter_context(daemon(url, folder, [9], mail.port, command=name)).pid
            for name in ("process", "alert")
        ]
        log = stack.enter_context(closing(open_log(url, clock=now, instance="writer")))
        collect = log.stage("collect")
        stack.callback(collect.close)
        assert collect.acquire(60)
        print("| articles | PSS of process, MB | of alert, MB | seconds |")
        print("|---|---|---|---|")
        start = time.monotonic()
        for written in range(0, articles, BATCH):
            tx = Transaction()
            for number in range(written, written + BATCH):
                tx.append(records.ARTICLES, f"{number}", short(site, number))
            collect.commit(tx)
            _until(lambda: _behind(log) < AHEAD)
            if (done := written + BATCH) % STEP == 0:
                _until(lambda: _behind(log) == 0)
                pss = " | ".join(f"{tree_pss_mb(pid):.0f}" for pid in trees)
                print(f"| {done} | {pss} | {time.monotonic() - start:.0f} |", flush=True)


def short(site: Site, number: int) -> bytes:
    site.publish()
    title, text, when = site.articles.pop()
    plain = text.replace("<p>", "").replace("</p>", "\n")[:600]
    url = f"https://news.example/{number}"
    return encode(
        Article(
            id=f"{number}", url=url, linked_url=url, source=f"news-{number % 40}",
            source_name="صحيفة", feed="https://news.example/feed", title=title, text=plain,
            language="ar", published=when, seen=when, fetched=when, text_hash=f"{number}",
        )
    )  # fmt: skip


def _behind(log: Log) -> int:
    return sum(sum(behind.values()) for behind in log.lag().values())


def drain(cores: Sequence[int], articles: int) -> tuple[float, float, float]:
    """Articles a second; CPU seconds an article, of the instances and of the broker."""
    sites = [Site(seed, alerting=0.05) for seed in range(SITES)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        brokers = stack.enter_context(Brokers(folder / "kafka"))
        url = f"{brokers.url}?partitions={PARTITIONS}"
        ports = stack.enter_context(serving(sites, evenly(SITES)))
        mail = mail_server(folder / "mail")
        stack.callback(mail.stop)
        daemons = [
            stack.enter_context(daemon(url, folder, ports, mail.port, core)) for core in cores
        ]
        trees = [*(process.pid for process in daemons), brokers.nodes[0].process.pid]  # type: ignore[union-attr]
        log = stack.enter_context(closing(open_log(url, clock=now)))
        flagged = Flagged(log)
        # All are at work: each feed was polled, and by several when there are several.
        for site in sites:
            site.publish()
        _until(lambda: flagged() >= SITES)
        time.sleep(15)  # until the last of them has taken its seat
        idle = [-tree_cpu_s(pid) for pid in trees]
        time.sleep(10)
        spent = [tree_cpu_s(pid) for pid in trees]
        idle = [(before + after) / 10 for before, after in zip(idle, spent, strict=True)]
        print(f"idle, of a core: {', '.join(f'{share:.1%}' for share in idle)}", file=sys.stderr)
        began = time.monotonic()
        for site in sites:
            for _ in range(articles // SITES):
                site.publish()
        _until(lambda: flagged() >= SITES + articles // SITES * SITES)
        took = time.monotonic() - began
        used = [tree_cpu_s(pid) - before for pid, before in zip(trees, spent, strict=True)]
    return articles / took, sum(used[:-1]) / articles, used[-1] / articles


def evenly(sites: int) -> list[int]:
    """Free ports whose sites lie in each partition as often."""
    found: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
    while any(len(ports) < sites // PARTITIONS for ports in found.values()):
        for port in free_ports(sites):
            there = found[partition_of(f"127.0.0.1:{port}", PARTITIONS)]
            if len(there) < sites // PARTITIONS and port not in there:
                there.append(port)
    return [port for ports in found.values() for port in ports]


class Flagged:
    """How many articles are there and were read by the process stage; where some were not, 0."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._count = 0
        self._next: dict[int, int] = {}

    def __call__(self) -> int:
        try:
            for message in self._log.read(records.ARTICLES, self._next):
                self._count += 1
                self._next[message.partition] = message.offset + 1
            behind = sum(self._log.lag().get("process", {}).values())
        except (LogError, KeyError):
            return 0
        return 0 if behind else self._count


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.2)


def scale(articles: int, rounds: int) -> None:
    print("| instances | articles/s | CPU ms an article | the broker's | load |")
    print("|---|---|---|---|---|")
    speeds, costs = [], []
    for _ in range(rounds):
        found = []
        for cores in ((1,), (0, 1)):
            found.append(drain(cores, articles))
            speed, cost, brokers_ = found[-1]
            load = os.getloadavg()[0]
            row = f"| {len(cores)} | {speed:.1f} | {cost * 1000:.1f} | {brokers_ * 1000:.1f} |"
            print(f"{row} {load:.1f} |", flush=True)
        (one, one_s, _), (two, two_s, _) = found
        speeds.append(two / one)
        costs.append(two_s / one_s)
    print(
        f"two are {statistics.median(speeds):.2f} times as fast as one (goal 1.6), at"
        f" {statistics.median(costs):.2f} times its CPU seconds an article (goal 1.15)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["latency", "memory", "stages", "scale"])
    parser.add_argument("--log", choices=["sqlite", "kafka"], default="sqlite")
    parser.add_argument("--alerting", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--articles", type=int, help="30,000; 200,000 of stages, 4,800 of scale")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.what == "latency":
        latency(arguments.log, arguments.rate, arguments.seconds, arguments.alerting)
    elif arguments.what == "stages":
        stages(arguments.log, arguments.articles or 200_000)
    elif arguments.what == "scale":
        scale(arguments.articles or 100 * SITES, arguments.rounds)
    else:
        memory(arguments.log, arguments.articles or 30_000)
