"""A real daemon under a scenario, watched by a real Prometheus with our alert rules.

A start with one feed that nobody answers; then, by a reload, the demo's newsrooms (one torn, one an
HTML page, pages missing or broken) and a source that has fallen silent, Slack and mail that take
messages, a webhook that nobody answers; all the while a canary; a record that cannot be read; a
reload that is refused; a restart.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rasid.app import now
from rasid.demo.show import _configuration, _free_port, _world
from streams.carriers import open_log
from streams.log import Transaction
from streams.records import ARTICLES
from tests.fakes.newssite import Item, NewsSite

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
SCRAPE = "500ms"
DEADLINE_S = 180.0
QUIET_TEXT = "ناقش المجلس البلدي في المدينة موازنة الخدمات للعام المقبل. " * 12
SILENT = "sources:\n  - {{id: silent, feeds: ['http://127.0.0.1:{port}/feed']}}\n"
QUIET = "  - {{id: quiet, feeds: ['{base}/feed.xml']}}\n"
WEBHOOK = "  - name: nobody\n    webhook: {{url: 'http://127.0.0.1:{port}/'}}\n"


@dataclass
class Prometheus:
    """Its API. `began` and `ended` bound the scenario, seconds since the epoch."""

    port: int
    rasid_port: int
    began: float
    ended: float = 0.0
    scrape: bytes = b""  # of the daemon, at the end

    def instant(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        arguments = {"query": self.expand(expr), "time": str(at or self.ended or time.time())}
        return self._ask("query", arguments)

    def range(self, expr: str, step_s: float = 0.5) -> list[dict[str, Any]]:
        return self._ask(
            "query_range",
            {
                "query": self.expand(expr),
                "start": str(self.began),
                "end": str(self.ended),
                "step": str(step_s),
            },
        )

    def value(self, expr: str) -> float:
        """Of one series; 0 where there is none (yet)."""
        found = self.instant(expr)
        return float(found[0]["value"][1]) if found else 0.0

    def expand(self, expr: str) -> str:
        """A query as Grafana would send it, with every variable on All."""
        seconds = max(int((self.ended or time.time()) - self.began) + 2, 10)
        expr = expr.replace("$__rate_interval", "5s").replace("$__range", f"{seconds}s")
        return re.sub(r"\$(theme|country|source)\b", ".*", expr)

    def _ask(self, what: str, arguments: dict[str, str]) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}"
        data = urllib.parse.urlencode(arguments).encode()
        with urllib.request.urlopen(url, data=data, timeout=10) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


@contextmanager
def watched(folder: Path, prometheus: str) -> Iterator[Prometheus]:
    """The scenario, played; Prometheus still answers, the daemon has ended."""
    with _quiet() as quiet, _world(folder, f"sqlite://{folder}/rasid.db") as place:
        nobody = _free_port()
        news = _configuration(place)
        news = news.replace("receivers:\n", "receivers:\n" + WEBHOOK.format(port=nobody))
        news = news.replace("  routes:\n", "  routes:\n    - {receiver: nobody, continue: true}\n")
        news = news.replace("sources:\n", "sources:\n" + QUIET.format(base=quiet.base))
        news += "canary: {every: 1s}\n"
        silent = re.sub(
            "sources:.*receivers:", SILENT.format(port=nobody) + "receivers:", news, flags=re.DOTALL
        )
        api = Prometheus(_free_port(), place.serve_port, time.time())
        with _prometheus(folder, prometheus, api):
            place.config.write_text(silent, encoding="utf-8")
            with _daemon(folder, place.config) as daemon:
                until("first scrapes", lambda: api.value("sum(rasid_stage_ready)") == 3)
                _write_unreadable(place.log)
                place.config.write_text(news, encoding="utf-8")
                daemon.send_signal(signal.SIGHUP)
                until("messages", lambda: api.value('sum(rasid_alerts_total{outcome="sent"})') > 8)
                until("a canary", lambda: api.value("rasid_canary_road_seconds") > 0)
                until("a dead letter", lambda: api.value("sum(rasid_records_dead_total)") > 0)
                until("the lag told", lambda: bool(api.instant('rasid_lag_records{stage="alert"}')))
                place.config.write_text("colect: {}\n")
                daemon.send_signal(signal.SIGHUP)
                until("a refusal", lambda: api.value('rasid_reloads_total{outcome="refused"}') > 0)
                until("an alert", lambda: bool(api.instant('ALERTS{alertstate="firing"}')))
                place.config.write_text(news, encoding="utf-8")
                first = api.value("rasid_process_start_time_seconds")
            with _daemon(folder, place.config):
                until(
                    "another start",
                    lambda: (
                        api.value("rasid_process_start_time_seconds") > first
                        and api.value("sum(rasid_stage_ready)") == 3
                        and api.value('sum(rasid_feeds{state="well"})') > 0
                        and api.value("sum(rasid_deliveries_pending)") > 0
                    ),
                )
                api.ended = time.time()
                api.scrape = _get(f"http://127.0.0.1:{place.serve_port}/metrics")
            yield api


def until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        with suppress(OSError):  # not up yet
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError(f"waited {DEADLINE_S:.0f} s for {what}")


def _quiet() -> NewsSite:
    """A source that wrote every hour, until ten days ago."""
    then = now() - timedelta(days=10)
    return NewsSite(
        [Item(f"{n}", f"خبر قديم رقم {n}", QUIET_TEXT, then - timedelta(hours=n)) for n in range(5)]
    )


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _write_unreadable(url: str) -> None:
    stage = open_log(url, clock=now).stage("scenario")
    assert stage.acquire(5)
    tx = Transaction()
    tx.append(ARTICLES, "unreadable", b"{")
    stage.commit(tx)
    stage.close()


@contextmanager
def _daemon(folder: Path, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rasid", "run", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def _prometheus(folder: Path, program: str, api: Prometheus) -> Iterator[None]:
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: {SCRAPE}, evaluation_interval: 1s}}\n"
        f"rule_files: [{RULES}]\n"
        "scrape_configs:\n"
        f"  - {{job_name: rasid, static_configs: [{{targets: ['127.0.0.1:{api.rasid_port}']}}]}}\n",
        encoding="utf-8",
    )
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{api.port}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            until("Prometheus", lambda: api._ask("query", {"query": "1"}) is not None)
            yield
        finally:
            process.kill()
            process.wait()
