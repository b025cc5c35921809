"""Kill -9 of any stage at a random moment, over and over; nothing may be lost.

    uv run python -m drills.kills --log kafka --kills 500 [--seed 1]
    uv run python -m drills.kills --log sqlite --kills 500

A world publishes numbered articles and a mail server counts what comes. `rasid collect`, `process`
and `alert` run as processes of their own. Each round one of them, once it has made progress since
its start, is killed after a moment of chance and started again. Afterwards all is waited for, and
what came is held against what was published. Exit code 1 when a promise is broken.
"""

import argparse
import email
import email.policy
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from drills.world import (
    STAGES,
    Processes,
    Publisher,
    articles_found,
    configuration,
    drained,
    progress,
    sound,
    wait,
    went_back,
)
from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.log import Log
from streams.records import Alert, decode
from tests.fakes.newssite import NewsSite

PUBLISHED_A_ROUND = 4
PROGRESS_S = 180.0  # on a machine that does much else
DRAIN_S = 180.0


@dataclass
class Outcome:
    """What a drill found."""

    kills: Counter[str] = field(default_factory=Counter)
    published: int = 0
    articles: int = 0
    articles_lost: int = 0
    articles_repeated: int = 0
    alerts: int = 0
    alerts_lost: int = 0
    mails_repeated: int = 0
    positions_went_back: int = 0
    sound: bool = True
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return (
            self.articles_lost == self.articles_repeated == self.alerts_lost == 0
            and self.mails_repeated <= self.kills["alert"]
            and self.positions_went_back == 0
            and self.sound
            and self.alerts > 0
        )


def drill(
    log_url: str, folder: Path, *, kills: int, seed: int = 1, limit_s: float = float("inf")
) -> Outcome:
    """Run it, for `limit_s` at most; raises RuntimeError where a stage ends by itself or makes no
    progress."""
    chance = random.Random(seed)  # the moment within the work is the scheduler's choice too
    outcome = Outcome()
    began = time.monotonic()
    with ExitStack() as stack:
        sites = [stack.enter_context(NewsSite([])) for _ in range(3)]
        publisher = Publisher(sites, chance)
        mail = mail_server(folder / "mail")
        stack.callback(mail.stop)
        config = folder / "rasid.yaml"
        sink = (
            "email: {from: rasid@example.org, to: [editors@example.org], "
            f"smtp: 'smtp://127.0.0.1:{mail.port}', tls: none}}"
        )
        config.write_text(configuration(log_url, sites, {"editors": sink}), encoding="utf-8")
        stages = Processes(folder)
        stack.callback(stages.end)
        log = stack.enter_context(closing(open_log(log_url, clock=now, instance="watcher")))

        def publish() -> None:
            publisher.publish(PUBLISHED_A_ROUND, now())

        def start(name: str) -> None:
            stages.start(name, "rasid", name, "--config", str(config))

        for name in STAGES:
            start(name)
        stood: dict[str, int] = {}
        since = dict.fromkeys(STAGES, 0)  # progress when the stage was last started
        for _ in range(kills):
            if time.monotonic() - began > limit_s:
                break
            publish()
            name = chance.choice(STAGES)
            further = _further(log, name, since[name])
            wait(further, f"progress of {name}", stages, PROGRESS_S, publish)
            time.sleep(chance.random() * 0.3)
            stages.kill(name)
            outcome.kills[name] += 1
            outcome.positions_went_back += went_back(log, stood)
            since = {**since, name: progress(log)[name]}
            start(name)
        outcome.published = publisher.published
        wait(lambda: drained(log, publisher.published), "all to be done", stages, DRAIN_S)
        stages.end()
        outcome.articles, outcome.articles_lost, outcome.articles_repeated = articles_found(
            log, publisher.addresses()
        )
        _judge(log, folder, outcome)
        outcome.sound = sound(log_url)
    outcome.seconds = time.monotonic() - began
    return outcome


def _further(log: Log, name: str, since: int) -> Callable[[], bool]:
    return lambda: progress(log)[name] > since


def _judge(log: Log, folder: Path, outcome: Outcome) -> None:
    alerts = {decode(Alert, m.value).id for m in log.read(records.ALERTS)}
    outcome.alerts = len(alerts)
    arrived = Counter(
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Message-ID"]
        for path in (folder / "mail").glob("*.eml")
    )
    outcome.alerts_lost = max(len(alerts) - len(arrived), 0)
    outcome.mails_repeated = arrived.total() - len(arrived)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="at most")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rasid-drill-") as name, ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite://{folder}/rasid.db"
        if wanted.log == "kafka":
            url = stack.enter_context(Brokers(folder / "kafka")).url
        outcome = drill(
            url, folder, kills=wanted.kills, seed=wanted.seed, limit_s=wanted.minutes * 60
        )
    print(outcome)
    print("every promise was kept" if outcome.kept else "A PROMISE WAS BROKEN")
    return 0 if outcome.kept else 1


if __name__ == "__main__":
    sys.exit(main())
