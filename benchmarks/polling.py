"""Polling when nothing has changed: the collector against bare aiohttp, in one run.

    uv run python benchmarks/polling.py [--feeds 1000] [--rounds 3]

A server in a process of its own answers every request with 304. Bare aiohttp asks as many
conditional GETs with as many at once; the collector polls the same addresses with all that
polling is (schedule, pace, robots.txt, guard, state), and writes each feed's state to the
SQLite log, durably. The feeds are spread over sites, as 127.0.0.x.
"""

import argparse
import asyncio
import ipaddress
import multiprocessing
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parents[1]))

from collectors.catalogue import Feed, Source
from collectors.collector import CollectOptions, Collector
from streams.log import Transaction
from streams.records import FEEDS, FeedState, encode
from streams.sqlite import SqliteLog

SITES = 100
AT_ONCE = 48


def serve(pipe: Connection) -> None:
    async def main() -> None:
        counts = {"polls": 0}

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/robots.txt":
                return web.Response(status=404)
            if request.path == "/count":
                return web.json_response(counts)
            counts["polls"] += 1
            return web.Response(status=304, headers={"ETag": '"v1"'})

        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    asyncio.run(main())


def bare(urls: list[str]) -> float:
    """Polls a second."""

    async def main() -> float:
        headers = {"User-Agent": "bare", "If-None-Match": '"v1"'}
        connector = aiohttp.TCPConnector(limit=2 * AT_ONCE)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            todo = iter(urls)

            async def worker() -> None:
                for url in todo:
                    async with session.get(url) as answer:
                        assert answer.status == 304
                        await answer.read()

            begun = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
            return len(urls) / (time.perf_counter() - begun)

    return asyncio.run(main())


def collected(urls: list[str], folder: Path, rounds: int) -> float:
    """Polls a second, of feeds that were polled before: their states are in the log."""
    log = SqliteLog(folder / "rasid.db", clock=lambda: datetime.now(UTC))
    now = datetime.now(UTC)
    stage = log.stage("collect")
    assert stage.acquire(1.0)
    tx = Transaction()
    for url in urls:
        site = url.split("/")[2]
        state = FeedState(
            source="bench", url=url, site=site, etag='"v1"', first_polled=now, last_polled=now
        )
        tx.put(FEEDS, f"{site}/{url}", encode(state), due=now, partition_key=site)
    stage.commit(tx)
    stage.close()
    registry = CollectorRegistry()
    collector = Collector(
        log.stage("collect"),
        [Source(id="bench", name="bench", feeds=tuple(Feed(u, interval_s=0.001) for u in urls))],
        CollectOptions(
            site_delay_s=0.0,
            allow_networks=(ipaddress.ip_network("127.0.0.0/8"),),
            polls_at_once=AT_ONCE,
            spread_s=0.0,
        ),
        clock=lambda: datetime.now(UTC),
        registry=registry,
    )

    def polls() -> float:
        return registry.get_sample_value("rasid_polls_total", {"outcome": "not_modified"}) or 0.0

    stop = threading.Event()
    thread = threading.Thread(target=collector.run, args=(stop,))
    thread.start()
    try:
        while polls() < len(urls):  # one round to warm up: robots.txt, connections
            time.sleep(0.05)
        begun, before = time.perf_counter(), polls()
        while polls() - before < rounds * len(urls):
            time.sleep(0.02)
        return (polls() - before) / (time.perf_counter() - begun)
    finally:
        stop.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        port = ours.recv()
        urls = [
            f"http://127.0.0.{1 + number % SITES}:{port}/feed/{number}"
            for number in range(options.feeds)
        ]
        bare(urls)
        bare_first = bare(urls * options.rounds)
        with tempfile.TemporaryDirectory() as folder:
            ours_rate = collected(urls, Path(folder), options.rounds)
        bare_rate = (bare_first + bare(urls * options.rounds)) / 2
    finally:
        ours.send(None)
        server.join(5)
        server.kill()
    print(f"| all answered 304, {options.feeds} feeds, {AT_ONCE} at once | polls/s |")
    print("|---|---|")
    print(f"| bare aiohttp | {bare_rate:,.0f} |")
    print(f"| Rasid's collector, each state committed durably | {ours_rate:,.0f} |")
    print(f"| ratio (to reach: 0.50) | {ours_rate / bare_rate:.2f} |")


if __name__ == "__main__":
    main()
