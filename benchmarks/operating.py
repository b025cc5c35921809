"""What it costs to keep Rasid running and to watch it: real daemons on loopback.

    uv run python benchmarks/operating.py start     process start → first poll
    uv run python benchmarks/operating.py idle      CPU with 200 feeds, none due
    uv run python benchmarks/operating.py answers   /metrics and /healthz while it is busy
    uv run python benchmarks/operating.py scrape    a scrape of 5,000 feeds: bytes, time

answers: new articles as fast as they are taken, so that the pool and the flagger are never
idle, and all alerts to a Slack that takes connections and never answers; a probe every 50 ms.
scrape: in one process, no daemon; every feed known in full, one in five failing.
"""

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from prometheus_client import generate_latest
from road import Site, serving

from collectors.catalogue import Feed, Source
from collectors.poller import Polled
from collectors.polls import PollDecision
from rasid.app import App
from rasid.config import Config
from streams.records import FeedState

RENDERED = "rasid_metrics_rendered_timestamp_seconds"


def configuration(folder: Path, feeds: list[str], interval: str, port: int, more: str = "") -> Path:
    path = folder / "rasid.yaml"
    sources = "".join(
        f"  - {{id: s{n}, feeds: [{{url: '{url}', interval: {interval}}}]}}\n"
        for n, url in enumerate(feeds)
    )
    path.write_text(
        f"log: sqlite://{folder}/rasid.db\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8]}\n"
        f"sources:\n{sources}serve: 127.0.0.1:{port}\n{more}"
    )
    return path


@contextmanager
def daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (config.parent / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rasid", "run", "--config", str(config)],
            stderr=log,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # as where it is installed
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return bytes(answer.read())


def sample(port: int, name: str) -> float:
    return samples(port, name)[0]


def samples(port: int, *names: str) -> list[float]:
    """Of one text, which may be some seconds old."""
    try:
        lines = get(port, "/metrics").decode().splitlines()
    except OSError:
        return [0.0] * len(names)
    return [
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
        for name in names
    ]


def cpu_s(pid: int) -> float:
    """User and system time of a process and all below it, seconds."""
    total, pending = 0.0, [pid]
    while pending:
        current = pending.pop()
        try:
            fields = Path(f"/proc/{current}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for task in Path(f"/proc/{current}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def start(rounds: int) -> None:
    took, used = [], []
    for _ in range(rounds + 1):  # the first may compile
        with tempfile.TemporaryDirectory() as name, socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            feed = f"http://127.0.0.1:{server.getsockname()[1]}/feed.xml"
            config = configuration(Path(name), [feed], "1h", free_port())
            began = time.monotonic()
            with daemon(config) as process:
                server.accept()[0].close()  # robots.txt, the first thing a poll asks for
                took.append(time.monotonic() - began)
                used.append(cpu_s(process.pid))
                process.kill()
    took, used = took[1:], used[1:]
    print(f"start → first request, s: median {statistics.median(took):.2f}, max {max(took):.2f}")
    print(f"CPU until then, s: median {statistics.median(used):.2f}")


def idle(feeds: int, seconds: float) -> None:
    site = Site(1, alerting=0.0)
    site.publish()
    with tempfile.TemporaryDirectory() as name, serving([site]) as (port,):
        mine = free_port()
        urls = [f"http://127.0.0.1:{port}/feed.xml?{n}" for n in range(feeds)]
        with daemon(configuration(Path(name), urls, "1h", mine)) as process:
            while sample(mine, 'rasid_feeds{state="well"}') < feeds:
                time.sleep(0.5)
            time.sleep(5)
            before, began = cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            used, took = cpu_s(process.pid) - before, time.monotonic() - began
    print(f"idle, {feeds} feeds: {100 * used / took:.2f} % of a core over {took:.0f} s")


def probe(port: int, seconds: float) -> tuple[dict[str, list[float]], float]:
    """Seconds that each answer took; the age of the oldest text of /metrics."""
    took: dict[str, list[float]] = {"/metrics": [], "/healthz": []}
    oldest_s = 0.0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for path, times in took.items():
            asked = time.monotonic()
            answer = get(port, path)
            times.append(time.monotonic() - asked)
            if found := re.search(rf"^{RENDERED} (\S+)", answer.decode(), re.MULTILINE):
                oldest_s = max(oldest_s, time.time() - float(found[1]))
            time.sleep(0.05)
    return took, oldest_s


def answers(seconds: float) -> None:
    sites = [Site(seed, alerting=0.2) for seed in range(10)]
    with (
        tempfile.TemporaryDirectory() as name,
        serving(sites) as ports,
        socket.socket() as slack,
    ):
        slack.bind(("127.0.0.1", 0))
        slack.listen(100)  # and never accepts
        mine = free_port()
        hook = f"http://127.0.0.1:{slack.getsockname()[1]}/hook"
        more = f"receivers: [{{name: desk, slack: {{webhook_url: '{hook}'}}}}]\n"
        urls = [f"http://127.0.0.1:{port}/feed.xml" for port in ports]
        with daemon(configuration(Path(name), urls, "1s", mine, more)):
            stop = threading.Event()

            def publish() -> None:
                while not stop.is_set():
                    if sample(mine, "rasid_entries_waiting") < 300:
                        for each in sites:
                            for _ in range(20):
                                each.publish()
                    stop.wait(0.5)

            publisher = threading.Thread(target=publish)
            publisher.start()
            while sample(mine, "rasid_deliveries_pending") < 1:
                time.sleep(0.2)
            told = ('rasid_records_out_total{stage="collect"}', RENDERED, "rasid_log_file_bytes")
            before, began, _ = samples(mine, *told)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as prober:
                took, oldest_s = prober.submit(probe, mine, seconds).result()
            total, ended, size = samples(mine, *told)
            stop.set()
            publisher.join()
    rate, kb = (total - before) / (ended - began), size / total / 1000
    print(f"{rate:.0f} articles/s, log {kb:.1f} KB an article; ms:")
    print("| path | p50 | p95 | p99 | max |\n|" + "---|" * 5)
    for path, times in took.items():
        cuts = statistics.quantiles(times, n=100)
        row = (cuts[49], cuts[94], cuts[98], max(times))
        print(f"| {path} | " + " | ".join(f"{1000 * s:.0f}" for s in row) + " |")
    print(f"/metrics at most {oldest_s:.1f} s old; load average {os.getloadavg()[0]:.1f}")


def scrape(count: int) -> None:
    now = datetime.now(UTC)
    app = App(Config(serve="none", log=f"sqlite://{tempfile.gettempdir()}/no-such-rasid.db"))
    assert app._collector is not None
    metrics = app._collector._metrics
    feeds = []
    for n in range(count):
        source = Source(f"newsroom-{n:04}", "x", feeds=(Feed(f"https://n{n}.example.org/feed"),))
        state = FeedState(
            source=source.id, url=source.feeds[0].url, site="x", last_success=now, last_new=now,
            interval_s=1234.0, gaps_s=(98765.0,), well=n % 5 > 0,
        )  # fmt: skip
        feeds.append(Polled(source, source.feeds[0], state, "well"))
        for reason in ("timeout", "server_error") if n % 5 == 0 else ():
            metrics.count_poll(feeds[-1], PollDecision(state, now, reason))
    metrics.watch(feeds)
    took = []
    for _ in range(10):
        began = time.monotonic()
        size = len(generate_latest(app.registry))
        took.append(time.monotonic() - began)
    print(f"{count} feeds: {size / 1e6:.2f} MB a scrape, {1000 * statistics.median(took):.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["start", "idle", "answers", "scrape"])
    parser.add_argument("--feeds", type=int)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    match arguments.what:
        case "start":
            start(arguments.rounds)
        case "idle":
            idle(arguments.feeds or 200, arguments.seconds)
        case "answers":
            answers(arguments.seconds)
        case "scrape":
            scrape(arguments.feeds or 5000)
